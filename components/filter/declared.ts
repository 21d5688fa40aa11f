import { validateHeaderName, validateHeaderValue } from "node:http";
import { z } from "zod";
import { messageOf } from "../../lib/errors.ts";
import { headerBytes, ofConnection } from "../../lib/header-text.ts";
import { isMapping } from "../../lib/mapping.ts";
import { type Expectation, isLong, readPattern } from "../../proof/expectation.ts";
import { name } from "../config/names.ts";

/** How a module comes to the proxy. A mesh's own way is the first of them that it has. */
export const moduleDeliveries = ["file", "image", "http", "configmap", "volume"] as const;
export type ModuleDelivery = (typeof moduleDeliveries)[number];

/** How a filter's code comes to the proxy: a script as text. */
export const deliveries = [...moduleDeliveries, "lua"] as const;
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

/** Exact text, `/regex/`, true: it is there, false: it is not. */
const wanted = z.union(
  [z.string().superRefine(checkPattern), z.boolean()],
  "text, /a regular expression/, true (it is there) or false (it is not)",
);

const expectedHeaders = z.record(z.string(), wanted);

const longExpectation = z.strictObject({
  status: z.number().int().min(200).max(599).optional(),
  /** Exact text or `/regex/`. */
  body: z.string().superRefine(checkPattern).optional(),
  headers: expectedHeaders.optional(),
});

/** As `choose` reads it, so that what is wrong is told by its own key. */
function oneOf<T>(choose: (value: unknown) => z.ZodType<T>) {
  return z.unknown().transform((value, ctx): T => {
    const result = choose(value).safeParse(value, { reportInput: true });
    if (result.success) return result.data;
    ctx.issues.push(...(result.error.issues as z.core.$ZodRawIssue[]));
    return z.NEVER;
  });
}

/** Response headers by name; or `{ status, body, headers }`, known by `status`, `body` or an object under `headers`. */
const expectation = oneOf<Expectation>((value) =>
  isMapping(value) && isLong(value as Expectation) ? longExpectation : expectedHeaders,
);

const nothingSent = z.literal(false, "{ method, path, headers, body }, or false: nothing is sent");

const sentRequest = z.strictObject({
  /** Default: GET, or POST where there is a body. */
  method: z
    .string()
    .regex(/^[A-Za-z]+$/, "a method such as POST")
    .refine((method) => method.toUpperCase() !== "CONNECT", "CONNECT is no request for a workload")
    .transform((method) => method.toUpperCase())
    .optional(),
  /** Relative to the route's own path. */
  path: z
    .string()
    .regex(/^([/?][!-~]*)?$/, 'what comes after the route\'s own path, such as "/get?x=1"')
    .optional(),
  headers: z
    .record(
      z.string().refine(isRequestHeader, "no header of HTTP has this name, or it belongs to the connection"),
      z.union([z.string(), z.number(), z.boolean()]).transform(String).refine(isHeaderValue, "HTTP forbids this value"),
    )
    .optional(),
  body: z.string().optional(),
});

/** The request that shows the filter, on the first route that it works on. */
const request = oneOf<z.infer<typeof sentRequest> | false>((value) => (isMapping(value) ? sentRequest : nothingSent));

const declaredFilter = z.strictObject({
  name,
  /** A folder of a toolchain, or a `.wasm` of any, relative to the clone; or `oci://REFERENCE@sha256:…`. */
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
  /** The request that shows that the filter runs. False: none does. Default: a GET of the route's path. */
  request: request.optional(),
  /** What the response to it is then. Default: what the filter does with this request in the host in Node. */
  expect: expectation.optional(),
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
  try {
    readPattern(text);
  } catch (error) {
    ctx.addIssue({ code: "custom", message: messageOf(error) });
  }
}

function isRequestHeader(name: string): boolean {
  if (ofConnection.has(name.toLowerCase())) return false;
  return succeeds(() => validateHeaderName(name));
}

function isHeaderValue(value: string): boolean {
  return succeeds(() => validateHeaderValue("x", headerBytes(value)));
}

function succeeds(check: () => void): boolean {
  try {
    check();
    return true;
  } catch {
    return false;
  }
}
