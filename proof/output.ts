/** A filter as the stack's outputs tell of it: what commands know to prove it by. */
import type { Expectation } from "./expectation.ts";
import { type Provable, type ProveOptions, prove, provenLine } from "./prove.ts";
import type { DeclaredRequest } from "./request.ts";

export interface ShownFilter {
  name: string;
  /** Where a request shows the filter; none where no route leads to it. */
  url?: string;
  headers?: Record<string, string>;
  /** The request that shows it; false: none does. A stack of older code has none, and sends a GET. */
  request?: DeclaredRequest | false;
  /** What the response has to be. */
  expect: Expectation;
  /** Which of its fields are secret: they are not to be told. */
  secret?: string[];
}

export const notShown = "running, not shown";

export type Askable<F extends ShownFilter = ShownFilter> = F & { url: string; request?: DeclaredRequest };

/** Whether a request shows it. */
export function isAskable<F extends ShownFilter>(filter: F): filter is Askable<F> {
  return filter.url !== undefined && filter.request !== false;
}

/** What `prove` wants to know of it. */
export function provable(filter: Askable): { subject: Provable; secret: NonNullable<ProveOptions["secret"]> } {
  const { name, url, headers, request: { method, body } = {}, expect } = filter;
  const secret = new Set(filter.secret);
  if (secret.has("request")) secret.add("headers").add("body");
  return { subject: { filter: name, url, method, headers, body, expect }, secret };
}

/** Sends its request. @returns what came, in one line. @throws UserError when it does not show the filter */
export async function proveInWords(filter: ShownFilter, timeoutMs: number): Promise<string> {
  if (filter.url === undefined) return "no route leads to it";
  if (!isAskable(filter)) return `${notShown}: \`request: false\``;
  const { subject, secret } = provable(filter);
  return provenLine(subject, await prove(subject, { timeoutMs, secret }));
}
