/** What a response has to be for a filter to be proved, and whether it is. */
import { messageOf, UserError } from "../lib/errors.ts";
import { ofConnection } from "../lib/header-text.ts";
import type { HttpResponse } from "../lib/http.ts";

/** Exact text, a `/regular expression/` that it has to match, true: it is there, false: it is not. */
export type Wanted = string | boolean;

/** Response headers alone, by name. */
export type ShortExpectation = Record<string, Wanted>;

/** Known by `status`, `body`, or an object under `headers`. */
export interface LongExpectation {
  status?: number;
  /** Exact text, or a `/regular expression/`. */
  body?: string;
  headers?: Record<string, Wanted>;
}

export type Expectation = ShortExpectation | LongExpectation;

export function isLong(expect: Expectation): expect is LongExpectation {
  return "status" in expect || "body" in expect || typeof expect.headers === "object";
}

export function longForm(expect: Expectation): LongExpectation {
  return isLong(expect) ? expect : { headers: expect };
}

/** Whether it says anything: without, any answer will do, and shows only that somebody answered. */
export function expectsNothing(expect: Expectation): boolean {
  const { status, body, headers = {} } = longForm(expect);
  return status === undefined && body === undefined && Object.keys(headers).length === 0;
}

/** What of a response is looked at. */
export type Response = Pick<HttpResponse, "status" | "headers" | "body">;

/** One thing that is expected. */
interface Item {
  /** As it is called in messages: `status`, `body`, or the header's name. */
  name: string;
  wanted: Wanted;
  /** As the response has it; undefined: it has none. */
  value?: string;
  holds: boolean;
}

/** @throws UserError when a regular expression is none */
function itemsOf(expect: Expectation, response: Response): Item[] {
  const { status, body, headers = {} } = longForm(expect);
  const items: Item[] = Object.entries(headers).map(([name, wanted]) => {
    const value = response.headers[name.toLowerCase()];
    return { name, wanted, value, holds: matches(name, wanted, value) };
  });
  if (status !== undefined)
    items.unshift({
      name: "status",
      wanted: String(status),
      value: String(response.status),
      holds: response.status === status,
    });
  if (body !== undefined) {
    const value = response.body;
    items.push({ name: "body", wanted: body, value, holds: matches("body", body, value) });
  }
  return items;
}

function inWords(wanted: Wanted): string {
  return wanted === true ? "any value" : wanted === false ? "no such header" : wanted;
}

function matches(name: string, wanted: Wanted, value: string | undefined): boolean {
  if (typeof wanted === "boolean") return (value !== undefined) === wanted;
  const pattern = patternOf(name, wanted);
  return value !== undefined && (pattern ? pattern.test(value) : value === wanted);
}

/** @returns undefined for exact text. @throws UserError when it is no regular expression that can be compiled */
function patternOf(name: string, wanted: string): RegExp | undefined {
  const source = /^\/(.+)\/$/s.exec(wanted)?.[1];
  try {
    return source === undefined ? undefined : new RegExp(source);
  } catch (error) {
    throw new UserError(`expected value of ${name === "body" ? "the body" : `header ${name}`}: ${messageOf(error)}`);
  }
}

/** @throws UserError when a regular expression is none */
export function checkPatterns(expect: Expectation): void {
  itemsOf(expect, { status: 200, headers: {}, body: "" });
}

/** What a response has of what is expected, and what of it does not hold. */
export interface Comparison {
  holds: boolean;
  /** The expected headers that the response has, in any value. */
  seen: Record<string, string>;
  /** What shows the filter, besides the status: a header with its value, the lack of one, the body. */
  shows: string[];
  /** One line for each thing that is missing or other than expected, and for a status that tells of a failure. */
  problems: string[];
}

export const hidden = "[secret]";

/**
 * Compares a response with what a filter promises.
 * @param isSecret leaves the values out, those that came, too: they may be an earlier secret
 * @throws UserError when a regular expression is none.
 */
export function compare(expect: Expectation, response: Response, isSecret = false): Comparison {
  const { status: expectedStatus, headers = {} } = longForm(expect);
  const items = itemsOf(expect, response);
  const { status } = response;
  const failed = status >= 500 && status !== expectedStatus;
  const seen = Object.keys(headers).flatMap((name) => {
    const value = response.headers[name.toLowerCase()];
    return value === undefined ? [] : [[name, isSecret ? hidden : value]];
  });
  const problems = [
    ...(failed ? ["a status of 500 or more is a failure, whatever the headers"] : []),
    ...items.filter(({ holds }) => !holds).map((item) => problemOf(item, isSecret)),
  ];
  const shows = items.flatMap((item) => showing(item, isSecret));
  return { holds: problems.length === 0, seen: Object.fromEntries(seen), shows, problems };
}

function showing({ name, wanted, value, holds }: Item, isSecret: boolean): string[] {
  if (!holds || name === "status") return [];
  if (value === undefined) return [`no ${name}`];
  if (name !== "body") return [`${name}: ${isSecret ? hidden : value}`];
  return [
    isSecret ? "the body is as expected" : `the body ${patternOf(name, String(wanted)) ? "matches" : "is"} ${wanted}`,
  ];
}

function problemOf({ name, wanted, value }: Item, isSecret: boolean): string {
  if (value === undefined) return `${name} is missing; expected: ${isSecret ? hidden : inWords(wanted)}`;
  if (isSecret) return `${name} is another than expected`;
  return `${name} is: ${name === "body" ? beginning(value) : value}; expected: ${inWords(wanted)}`;
}

/** A body, as a message has it. */
export function beginning(body: string): string {
  return body.length > 200 ? `${body.slice(0, 200)}…` : body;
}

/**
 * What of it a response has without the filter, and so does not show that the filter runs.
 * @param straight the workload's own response
 */
export function alreadyThere(expect: Expectation, straight: Response): string[] {
  return itemsOf(expect, straight)
    .filter(({ holds }) => holds)
    .map(({ name, value }) => (value === undefined ? `no ${name}` : `${name}: ${beginning(value)}`));
}

/** Whether the workload's own response would do: then it shows nothing of the filter. */
export function isMetWithout(expect: Expectation, straight: Response): boolean {
  return !expectsNothing(expect) && itemsOf(expect, straight).every((item) => item.holds || isProxysOwn(item));
}

/** What proxies put on responses, or take off, by themselves shows nothing of a filter. */
function isProxysOwn({ name, wanted }: Item): boolean {
  if (/^x-envoy-/i.test(name)) return true;
  // Each connection's own. The length of a body is the workload's, whoever passes it on.
  if (ofConnection.has(name.toLowerCase())) return name.toLowerCase() !== "content-length";
  if (/^server$/i.test(name) && typeof wanted === "string") return /envoy/.test(wanted);
  return /^(date|server|via)$/i.test(name) && wanted === true;
}
