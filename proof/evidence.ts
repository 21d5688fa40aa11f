/** What is to show that a filter runs, decided before it is attached. */
import {
  alreadyThere,
  type Expectation,
  expectsNothing,
  isLong,
  isMetWithout,
  longForm,
  type Response,
  type Wanted,
} from "./expectation.ts";
import type { ProofRequest } from "./request.ts";

/** What the host in Node has found that a filter does with its request. */
export interface Found {
  /** Response headers that it put there or changed. */
  adds: Record<string, string>;
  /** Which of them have another value each time. */
  varies?: string[];
  /** The status, where it is not the workload's. */
  status?: number;
  /** What else it does, in words. */
  notes?: string[];
}

export interface EvidenceArgs {
  /** The filter's name. */
  filter: string;
  /** False: nothing is sent, and nothing shown. */
  request: ProofRequest | false;
  /** As declared; none: what was found. */
  expect?: Expectation;
  /** None: nobody has looked. */
  found?: Found;
  /** Where the request goes, for messages. */
  address?: string;
  /** What the workload answers to the same request without the filter; none: it is not known. */
  straight?: Response;
  /** Values are not to be told. */
  isSecret?: boolean;
}

export interface Evidence {
  expect: Expectation;
  /** Why it shows nothing, and what to do. */
  problem?: string;
}

/** What the response has to be, and whether that would show anything. */
export function evidence(args: EvidenceArgs): Evidence {
  const { request, found, straight } = args;
  if (request === false) return { expect: {} };
  const expect = args.expect ?? (found ? expectationOf(found) : {});
  if (args.expect === undefined && found && expectsNothing(expect))
    return { expect, problem: nothingFound(args, found) };
  if (straight && isMetWithout(expect, straight)) return { expect, problem: metWithout(args, expect, straight) };
  return { expect };
}

/** As short as it can be written. A value that is another one each time is expected to be there, no more. */
export function expectationOf({ adds, varies = [], status }: Found): Expectation {
  const entries = Object.entries(adds).map(([name, value]): [string, Wanted] => [
    name,
    varies.includes(name) ? true : literally(value),
  ]);
  const headers = Object.fromEntries(entries);
  if (status === undefined && !isLong(headers)) return headers;
  return { ...(status !== undefined && { status }), ...(entries.length > 0 && { headers }) };
}

/** Text between slashes would be read as a regular expression. */
function literally(value: string): string {
  return /^\/.+\/$/s.test(value) ? `/^${value.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")}$/` : value;
}

function nothingFound({ filter, request, address }: EvidenceArgs, { notes = [] }: Found): string {
  const sent = request ? `${request.method} ${address ?? request.path}` : "";
  const did = notes.length > 0 ? `; ${notes.join(", and ")}` : "";
  return [
    `filter "${filter}": nothing would show that it runs. In the host in Node it puts nothing of its own on the response to ${sent}${did}.`,
    "  In meshup:filters say what shows it: `expect`, response headers, or a `status`, or a `body` such as a workload that repeats the request gives; `request`, another request than this one.",
    "  Or `expect: {}`: any answer will do; `request: false`: nothing is sent.",
  ].join("\n");
}

function metWithout(
  { filter, request, address, isSecret, expect: declared }: EvidenceArgs,
  expect: Expectation,
  straight: Response,
): string {
  const sent = request ? `${request.method} ${address ?? request.path}` : "";
  const there = isSecret ? namesOf(expect) : alreadyThere(expect, straight);
  return [
    `filter "${filter}": ${declared ? "its `expect`" : "what it does in the host in Node"} would not show that it runs: without it, the workload itself answers ${sent} with status ${straight.status}, and what is expected:`,
    ...there.map((line) => `  ${line}`),
    "  In meshup:filters, `expect` what is there through the filter only: a header or value that it sets, a `status`, a `body`; or send another `request`.",
    "  Or `expect: {}`: any answer will do; `request: false`: nothing is sent.",
  ].join("\n");
}

function namesOf(expect: Expectation): string[] {
  const { status, body, headers = {} } = longForm(expect);
  return [
    ...(status === undefined ? [] : ["the status"]),
    ...Object.keys(headers),
    ...(body === undefined ? [] : ["the body"]),
  ];
}
