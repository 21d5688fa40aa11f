import { join } from "node:path";
import { expect } from "vitest";
import { type FilterCase, loadCases, type Observed, runCase } from "../../host/cases/cases.ts";
import { root } from "../../lib/paths.ts";
import type { ScratchClone } from "../local/scratch-clone.ts";

/** The filter's cases that a proxy can be seen to pass, each with a route and a filter of its own. */
const cases = loadCases(join(root, "filter/cases/add-header.yaml")).filter((c) => c.expect.refused === undefined);

/** Declares the cases' routes and filters: the same on every mesh. */
export function declareCases(clone: ScratchClone): Promise<void> {
  return clone.configure((file) => {
    for (const [i, { root: rootId, config, configText }] of cases.entries()) {
      file.addIn(["config", "meshup:routes"], { name: `case-${i}`, path: `/case-${i}`, workload: "echo" });
      file.addIn(["config", "meshup:filters"], {
        name: `case-${i}`,
        module: "./filter",
        root: rootId,
        ...((config ?? configText) !== undefined && { config: config ?? configText }),
        target: { route: `case-${i}` },
        request: false, // the case's own request shows it, below
      });
    }
  });
}

/** Runs them against the stack as it is up. */
export async function expectCasesToHold(clone: ScratchClone): Promise<void> {
  for (const [i, filterCase] of cases.entries()) {
    const observed = () => throughGateway(clone, i, filterCase);
    const seen = await runCase({ ...filterCase, expect: { ...filterCase.expect, log: undefined } }, observed);
    expect(seen, filterCase.name).toEqual([]);
  }
}

/** echo answers as the case's workload does, and tells what it was asked. */
async function throughGateway(clone: ScratchClone, i: number, { request = {}, upstream = {} }: FilterCase) {
  const query = new URLSearchParams({ status: String(upstream.status ?? 200) });
  for (const [name, value] of Object.entries(upstream.headers ?? {})) query.append("headers", `${name}:${value}`);
  const { path = "/", ...options } = request;
  const response = await clone.request(`/case-${i}${path}?${query}`, options);
  const { headers } = JSON.parse(response.body) as { headers: Record<string, string> };
  return { response, request: { headers }, logs: [] } satisfies Observed;
}
