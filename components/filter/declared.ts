import { z } from "zod";
import { messageOf } from "../../lib/errors.ts";
import { name } from "../config/names.ts";

/** How a filter's code comes to the proxy. */
export const deliveries = ["file", "image", "http", "configmap", "volume", "lua"] as const;
export type Delivery = (typeof deliveries)[number];

/** What happens to requests when a filter's code fails. */
export const failures = ["open", "close", "reload"] as const;
export type Failure = (typeof failures)[number];

const target = z.union(
  [
    z.strictObject({ route: name }),
    z.strictObject({ workload: z.string() }),
    z.strictObject({ gateway: z.literal(true) }),
    z.strictObject({ selector: z.record(z.string(), z.string()).refine((labels) => Object.keys(labels).length > 0) }),
  ],
  "exactly one of { route: NAME }, { workload: NAME }, { gateway: true }, { selector: { LABEL: VALUE } }",
);

const declaredFilter = z.strictObject({
  name,
  /** A folder of AssemblyScript, or a `.wasm` of any toolchain; relative to the clone. */
  module: z.string().min(1).optional(),
  /** In place of `module`: a Lua script; relative to the clone. */
  script: z.string().min(1).optional(),
  /** How the module comes to the proxy. Default: `file` on this machine, `image` in a cluster, `lua` for a script. */
  delivery: z.enum(deliveries).optional(),
  /** The root id that the module registers; a module with one root context may ignore it. */
  root: z.string().default(""),
  /** What the filter gets as its plugin configuration: an object is sent as JSON, a string as it is. */
  config: z.union([z.string(), z.record(z.string(), z.json())], "an object (sent as JSON) or a string").optional(),
  target,
  /**
   * What happens to requests when the module fails: `open` lets them pass, `close` answers 5xx, `reload` starts it anew.
   * Default: `close`; for a script `open`, as Envoy lets every request pass that a script fails on.
   */
  failure: z.enum(failures).default("close"),
  /** Response headers that prove that the filter runs: exact text or `/regex/`. Default: what it adds in the host in Node. */
  expect: z.record(z.string(), z.string().superRefine(checkPattern)).optional(),
});

export type FilterDeclaration = z.infer<typeof declaredFilter>;
export type FilterTarget = FilterDeclaration["target"];

/** @param more keys that only one mesh knows: it reads them itself */
export function filterSchema(more: object) {
  return z.preprocess(
    (declared) => (isScript(declared) ? { failure: "open", ...declared } : declared),
    z.strictObject({ ...declaredFilter.shape, ...more }),
  );
}

const isScript = (declared: unknown): declared is { script: unknown } =>
  typeof declared === "object" && declared !== null && "script" in declared;

/** `/…/` must be a regular expression that can be compiled. */
function checkPattern(text: string, ctx: z.RefinementCtx): void {
  const source = /^\/(.*)\/$/.exec(text)?.[1];
  try {
    if (source !== undefined) new RegExp(source);
  } catch (error) {
    ctx.addIssue({ code: "custom", message: messageOf(error) });
  }
}
