import { z } from "zod";
import { name } from "../config/names.ts";
import { demoNames } from "./demo.ts";

/** A service that is somewhere already. */
const url = z.strictObject({
  /** Where it answers: `http://localhost:3000`. */
  url: z.string().regex(/^http:\/\/[^/?#@\s]+\/?$/, 'an address such as "http://localhost:3000"'),
});

/** A person's own workloads, by name: `meshup:workloads`. */
export const workloadsSchema = z.record(name, url);
export type DeclaredWorkloads = z.infer<typeof workloadsSchema>;
export type DeclaredWorkload = DeclaredWorkloads[string];

export interface Declared {
  workloads?: DeclaredWorkloads;
  /** The demo's workloads are there, too. Default: where the stack declares none of its own. */
  demo?: boolean;
}

export function hasDemo({ workloads, demo }: Declared): boolean {
  return demo ?? workloads === undefined;
}

/** What routes, targets and filters' calls can name. */
export function workloadNames(declared: Declared): string[] {
  return [...(hasDemo(declared) ? demoNames : []), ...Object.keys(declared.workloads ?? {})];
}

/**
 * Routes and targets that name a workload which is not declared.
 * @param config as it is written, whatever is wrong with it besides
 */
export function unknownWorkloads(config: unknown): { path: PropertyKey[]; message: string }[] {
  const { workloads, demo, routes, filters } = mapping(config);
  if (workloads !== undefined && !isMapping(workloads)) return [];
  const names = workloadNames({ workloads: workloads as DeclaredWorkloads, demo: demo as boolean | undefined });
  const there = names.length > 0 ? `there are ${names.map((name) => `"${name}"`).join(", ")}` : "there are none";
  const check = (path: PropertyKey[], workload: unknown) =>
    typeof workload === "string" && !names.includes(workload)
      ? [{ path, message: `no workload is named "${workload}"; ${there}` }]
      : [];
  return [
    ...list(routes).flatMap((route, i) => check(["routes", i, "workload"], mapping(route).workload)),
    ...list(filters).flatMap((filter, i) =>
      check(["filters", i, "target", "workload"], mapping(mapping(filter).target).workload),
    ),
  ];
}

const isMapping = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const mapping = (value: unknown) => (isMapping(value) ? value : {});
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
