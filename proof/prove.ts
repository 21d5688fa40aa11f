/** A request through the mesh whose response shows that a filter runs. */
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../lib/errors.ts";
import { type HttpResponse, httpRequest } from "../lib/http.ts";

const defaultTimeoutMs = 15_000;

const hidden = "[secret]";

/** What is sent, and what has to come back. */
export interface ProofRequest {
  /** The filter's name, for messages. */
  filter: string;
  /** Where the request (GET) goes. */
  url: string;
  /** Request headers; `host` replaces the address's own. */
  headers?: Record<string, string>;
  /** What the response must have, by header name: the exact value, or a regular expression between slashes. */
  expect: Record<string, string>;
  /** Milliseconds until the expectation must hold; default 15 000. */
  timeoutMs?: number;
}

export interface Proved {
  /** Of the response that held. */
  status: number;
  /** The expected headers, as that response had them. */
  seen: Record<string, string>;
}

/** What a response has of the expected headers, and what of them does not hold. */
export interface Comparison {
  holds: boolean;
  /** The expected headers that the response has, in any value. */
  seen: Record<string, string>;
  /** One line for each header that is missing or other than expected, and for a status that tells of a failure. */
  problems: string[];
}

/**
 * Compares a response with what a filter promises.
 * @param expect by header name: the exact value, or a regular expression between slashes that it has to match.
 * @param isSecret leaves the values out, those that came, too: they may be an earlier secret
 * @throws UserError when a regular expression is none.
 */
export function compare(
  expect: Record<string, string>,
  { status, headers }: Pick<HttpResponse, "status" | "headers">,
  isSecret = false,
): Comparison {
  const seen: Record<string, string> = {};
  const problems = status >= 500 ? ["a status of 500 or more is a failure, whatever the headers"] : [];
  for (const [name, wanted] of Object.entries(expect)) {
    const value = headers[name.toLowerCase()];
    if (value !== undefined) seen[name] = isSecret ? hidden : value;
    const shown = isSecret ? hidden : wanted;
    if (value === undefined) problems.push(`${name} is missing; expected: ${shown}`);
    else if (!matcher(name, wanted)(value))
      problems.push(isSecret ? `${name} is another than expected` : `${name} is: ${value}; expected: ${shown}`);
  }
  return { holds: problems.length === 0, seen, problems };
}

function matcher(name: string, wanted: string): (value: string) => boolean {
  const source = /^\/(.+)\/$/s.exec(wanted)?.[1];
  if (source === undefined) return (value) => value === wanted;
  try {
    const pattern = new RegExp(source);
    return (value) => pattern.test(value);
  } catch (error) {
    throw new UserError(`expected value of header ${name}: ${messageOf(error)}`);
  }
}

/**
 * Sends the request until its response holds: a proxy takes a moment to put a new configuration in force.
 * @param secretInputs names of inputs whose values are not to be told in an error
 */
export async function prove(
  request: ProofRequest,
  signal?: AbortSignal,
  secretInputs: ReadonlySet<string> = new Set(),
): Promise<Proved> {
  const { filter, url, headers = {}, expect, timeoutMs = defaultTimeoutMs } = request;
  for (const [name, wanted] of Object.entries(expect)) matcher(name, wanted); // a bad one needs no request
  const end = Date.now() + timeoutMs;
  for (let pause = 50; ; pause = Math.min(pause * 1.5, 1000)) {
    let problems: string[];
    try {
      const response = await httpRequest({ url, headers, timeoutMs: Math.max(1, Math.min(5000, timeoutMs)) });
      const comparison = compare(expect, response, secretInputs.has("expect"));
      if (comparison.holds) return { status: response.status, seen: comparison.seen };
      const isShown = response.status >= 400 && response.body && secretInputs.size === 0; // a body may repeat a header
      const body = isShown ? [`the body begins: ${response.body.slice(0, 200)}`] : [];
      problems = [`status ${response.status}`, ...comparison.problems, ...body];
    } catch (error) {
      problems = [`no response: ${messageOf(error)}`];
    }
    if (signal?.aborted) throw new UserError(`filter "${filter}": cancelled before it had proved itself`);
    if (Date.now() + pause > end) throw new UserError(failure(request, timeoutMs, problems, secretInputs));
    await sleep(pause);
  }
}

function failure(
  { filter, url, headers = {} }: ProofRequest,
  timeoutMs: number,
  problems: string[],
  secretInputs: ReadonlySet<string>,
): string {
  const shown = (value: string) => (secretInputs.has("headers") ? hidden : value);
  const sent = Object.entries(headers).map(([name, value]) => `${name}: ${shown(value)}`);
  return [
    `filter "${filter}" did not prove itself within ${timeoutMs / 1000} s`,
    `  sent: GET ${url}${sent.length > 0 ? ` with ${sent.join(", ")}` : ""}`,
    ...problems.map((problem) => `  ${problem}`),
  ].join("\n");
}
