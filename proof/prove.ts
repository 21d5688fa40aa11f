/** The proof that a filter runs: its request, sent until the response is as expected. */
import { messageOf, UserError } from "../lib/errors.ts";
import { httpRequest } from "../lib/http.ts";
import { NotYet, poll } from "../lib/poll.ts";
import { beginning, checkPatterns, compare, type Expectation, expectsNothing, hidden } from "./expectation.ts";
import { sentHeaders } from "./request.ts";

/** A filter, and the request that shows it. */
export interface Provable {
  /** The filter's name, for messages. */
  filter: string;
  /** Where the request goes. */
  url: string;
  /** Default: GET. */
  method?: string;
  /** Of the request; `host` replaces the address's own. */
  headers?: Record<string, string>;
  body?: string;
  /** What the response must have. */
  expect: Expectation;
}

export interface ProveOptions {
  /** Milliseconds until the expectation must hold; default 15 000. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Which of its fields are secrets, whose values are not to be told. */
  secret?: ReadonlySet<string>;
}

/** The response that held. */
export interface Proven {
  status: number;
  /** The expected headers, as they came. */
  seen: Record<string, string>;
  /** See `Comparison`. */
  shows: string[];
}

/** What there is to say of a proof that any answer is enough for. */
export const nothingShown = "answered; nothing shows that it runs";

/**
 * Sends the request until its response holds: a proxy takes a moment to put a new configuration in force.
 * @throws UserError with what was sent, what came, and what was expected
 */
export async function prove(subject: Provable, options: ProveOptions = {}): Promise<Proven> {
  const { filter, url, method = "GET", headers, body, expect } = subject;
  const { timeoutMs = 15_000, signal, secret = new Set() } = options;
  checkPatterns(expect); // a bad one needs no request
  const request = { url, method, headers: sentHeaders(headers), body };
  let problems: string[] = [];
  const look = async () => {
    try {
      const response = await httpRequest({ ...request, timeoutMs: Math.max(1, Math.min(5000, timeoutMs)) });
      const { holds, seen, shows, problems: unmet } = compare(expect, response, secret.has("expect"));
      if (holds) return { status: response.status, seen, shows: expectsNothing(expect) ? [nothingShown] : shows };
      const isShown = response.status >= 400 && response.body && secret.size === 0; // a body may repeat a header
      const shown = isShown && !unmet.some((problem) => problem.startsWith("body "));
      const begins = shown ? [`the body begins: ${beginning(response.body)}`] : [];
      problems = [`status ${response.status}`, ...unmet, ...begins];
    } catch (error) {
      problems = [`no response: ${messageOf(error)}`];
    }
    return new NotYet("it is not proved");
  };
  return poll(look, {
    timeoutMs,
    signal,
    cancelled: `filter "${filter}": cancelled before it had proved itself`,
    late: () => {
      throw new UserError(failure(subject, timeoutMs, problems, secret));
    },
  });
}

function failure(
  { filter, url, method = "GET", headers = {}, body }: Provable,
  timeoutMs: number,
  problems: string[],
  secret: ReadonlySet<string>,
): string {
  const shown = (key: string, value: string) => (secret.has(key) ? hidden : value);
  const sent = [
    ...Object.entries(headers).map(([name, value]) => `${name}: ${shown("headers", value)}`),
    ...(body === undefined ? [] : [`the body ${shown("body", beginning(body))}`]),
  ];
  return [
    `filter "${filter}" did not prove itself within ${timeoutMs / 1000} s`,
    `  sent: ${method} ${url}${sent.length > 0 ? ` with ${sent.join(", ")}` : ""}`,
    ...problems.map((problem) => `  ${problem}`),
  ].join("\n");
}

/** `GET http://localhost:10000/one → 200  x-custom-header: custom-value` */
export function provenLine(
  { url, method = "GET" }: Pick<Provable, "url" | "method">,
  { status, shows }: Pick<Proven, "status" | "shows">,
): string {
  return [`${method} ${url} → ${status}`, ...shows].join("  ");
}
