import { validateHeaderName, validateHeaderValue } from "node:http";
import { headerBytes, ofConnection } from "../../lib/header-text.ts";
import { HttpError } from "../server.ts";
import { parseInteger, quote } from "../settings.ts";

/** What a request asks of echo in its query. */
export interface EchoOptions {
  status: number;
  /** Milliseconds that the request is held open. */
  delayMs: number;
  /** Milliseconds of CPU time that the request costs. */
  burnMs: number;
  /** Response headers, in lower case, several values of one name in order. */
  headers: Record<string, string[]>;
}

export const maxDelayMs = 60_000;
export const maxBurnMs = 10_000;

/**
 * Reads `status=503`, `delay=200`, `burn=50` and any number of `headers=name:value`; other names are the caller's own.
 * @throws HttpError 400 that names every problem.
 */
export function parseEchoOptions(query: URLSearchParams): EchoOptions {
  const problems: string[] = [];
  const integer = (name: string, unit: string, fallback: number, min: number, max: number) => {
    const values = query.getAll(name);
    if (values.length > 1) problems.push(`${name} is given ${values.length} times`);
    if (values[0] === undefined) return fallback;
    const value = parseInteger(values[0]);
    if (value !== undefined && value >= min && value <= max) return value;
    problems.push(`${name}=${quote(values[0])} is not ${unit} from ${min} to ${max}`);
    return fallback;
  };
  // 1xx is left out: it does not end an exchange.
  const status = integer("status", "a status", 200, 200, 599);
  const delayMs = integer("delay", "a whole number of milliseconds", 0, 0, maxDelayMs);
  const burnMs = integer("burn", "a whole number of milliseconds", 0, 0, maxBurnMs);
  const headers = parseHeaders(query.getAll("headers"), problems);
  if (problems.length > 0) throw new HttpError(400, problems.join("; "));
  return { status, delayMs, burnMs, headers };
}

function parseHeaders(pairs: string[], problems: string[]): Record<string, string[]> {
  const headers = new Map<string, string[]>();
  for (const pair of pairs) {
    const colon = pair.indexOf(":");
    const name = pair.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    const value = pair.slice(colon + 1).trim();
    const problem = colon < 1 ? "is not name:value" : headerProblem(name, value);
    if (problem) problems.push(`headers=${quote(pair)} ${problem}`);
    else headers.set(name, [...(headers.get(name) ?? []), value]);
  }
  return Object.fromEntries(headers);
}

function headerProblem(name: string, value: string): string | undefined {
  if (ofConnection.has(name)) return `sets ${name}, which belongs to the connection`;
  try {
    validateHeaderName(name);
  } catch {
    return "has a name that HTTP forbids";
  }
  try {
    validateHeaderValue(name, headerBytes(value));
  } catch {
    return "has a value that HTTP forbids";
  }
  return undefined;
}
