/** The proof that filters run: the request that is sent now, and the headers that come back. */
import { isDeepStrictEqual } from "node:util";
import type { FilterOutput } from "../../components/mesh/filter-output.ts";
import { messageOf, UserError } from "../../lib/errors.ts";
import { otherOnLocalhost } from "../../process/ports.ts";
import { expectsNothing } from "../../proof/expectation.ts";
import { isAskable, notShown, provable } from "../../proof/output.ts";
import { prove, provenLine } from "../../proof/prove.ts";
import type { Terminal } from "../output/terminal.ts";

export interface Proof {
  filter: string;
  /** None where nothing is sent. */
  url?: string;
  method?: string;
  ok: boolean;
  status?: number;
  /** The expected headers, as they came. */
  seen: Record<string, string>;
  /** What shows the filter, in words, where that is more than these headers; see `Proven`. */
  shows?: string[];
  /** False: the filter runs, as far as the proxy says, and nothing shows it. */
  shown?: false;
  /** Why it is none. */
  problem?: string;
}

/**
 * @param shown the same outputs as they may be shown
 * @throws UserError when the output is none of this shape: another program has made it
 */
export function filterOutputs(known: Record<string, unknown>, shown: Record<string, unknown> = known): FilterOutput[] {
  const filters = known.filters ?? [];
  const isFilter = (f: unknown): f is FilterOutput =>
    typeof f === "object" && f !== null && "name" in f && "digest" in f && "expect" in f;
  if (!Array.isArray(filters) || !filters.every(isFilter))
    throw new UserError("The stack's output `filters` is not a list of { name, digest, delivery, url, expect }.");
  const asShown = shown.filters as FilterOutput[] | undefined;
  return filters.map((filter, i) => {
    const secret = (["expect", "headers", "request"] as const).filter(
      (key) => !isDeepStrictEqual(asShown?.[i]?.[key], filter[key]),
    );
    return secret.length > 0 ? { ...filter, secret } : filter;
  });
}

/** Sends every filter's request. A header that has a moment ago changed gets `timeoutMs` to be as expected. */
export function proveAll(filters: FilterOutput[], timeoutMs = 5_000): Promise<Proof[]> {
  const known = filters.filter((filter) => filter.url !== undefined);
  return Promise.all(
    known.map(async (filter): Promise<Proof> => {
      if (!isAskable(filter)) return { filter: filter.name, ok: true, seen: {}, shown: false };
      const { subject, secret } = provable(filter);
      const { url, method } = subject;
      const base = { filter: filter.name, url, ...(method && { method }) };
      try {
        const { status, seen, shows } = await prove(subject, { timeoutMs, secret });
        const isMore = !isDeepStrictEqual(shows, headerLines(seen));
        const nothing = expectsNothing(filter.expect) && ({ shown: false } as const);
        return { ...base, ok: true, status, seen, ...(isMore && { shows }), ...nothing };
      } catch (error) {
        return { ...base, ok: false, seen: {}, problem: messageOf(error) };
      }
    }),
  );
}

/** `GET http://localhost:10000/one → 200  x-custom-header: custom-value` */
export function proofLine({ url, method, status = 0, seen, shows = headerLines(seen) }: Proof): string {
  return url === undefined ? notShown : provenLine({ url, method }, { status, shows });
}

function headerLines(headers: Record<string, string>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
}

/** URLs and proofs. @returns whether all proofs hold */
export async function printProofs(
  terminal: Terminal,
  outputs: Record<string, unknown>,
  proofs: Proof[],
): Promise<boolean> {
  const { good, bad } = terminal.paint;
  const taken = await otherAtGateway(outputs.gatewayUrl);
  if (taken) terminal.note(`warning: ${taken.other}; the stack's gateway is at ${taken.own}`);
  if (typeof outputs.gatewayUrl === "string") terminal.print(`Gateway: ${outputs.gatewayUrl}`);
  for (const url of routeUrls(outputs.routes)) terminal.print(`  ${url}`);
  if (proofs.length > 0) terminal.print("\nFilters, each with the request sent just now and what came back:");
  const width = Math.max(0, ...proofs.map((proof) => proof.filter.length));
  for (const proof of proofs) {
    const name = proof.filter.padEnd(width);
    // Nothing has shown it: that is no failure, and no success either.
    const mark = proof.shown === false ? "-       " : `${good("ok")}      `;
    if (proof.ok) terminal.print(`  ${mark}${name}  ${proofLine(proof)}`);
    else terminal.print(`  ${bad("FAILED")}  ${name}  ${proof.problem?.replaceAll("\n", "\n          ")}`);
  }
  return proofs.every((proof) => proof.ok);
}

/**
 * Another program that a person may reach in the gateway's place, since it has come to `localhost` after the gateway.
 * @returns it, and the address that is the gateway's for sure
 */
export async function otherAtGateway(gatewayUrl: unknown): Promise<{ other: string; own: string } | undefined> {
  const url = typeof gatewayUrl === "string" ? new URL(gatewayUrl) : undefined;
  if (url?.hostname !== "localhost") return undefined;
  const other = await otherOnLocalhost(Number(url.port));
  return other === undefined ? undefined : { other, own: `http://127.0.0.1:${url.port}` };
}

/** The output `routes` is a list of { name, url } or of addresses, or a mapping of name to address. */
export function routeUrls(routes: unknown): string[] {
  if (typeof routes !== "object" || routes === null) return [];
  return Object.values(routes).flatMap((route) => {
    if (typeof route === "string") return [route];
    return typeof route?.url === "string" ? [route.url] : [];
  });
}
