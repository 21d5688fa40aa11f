// What the proxy calls. The SDK's own dispatcher (`@solo-io/proxy-runtime/assembly/proxy`) exports every callback of the
// ABI and joins the ids of all live contexts into debug lines, several for each request; this one does neither.

import { get_property } from "@solo-io/proxy-runtime/assembly/runtime";
import { Configuration } from "./configuration";
import { error, quoted } from "./log";
import { FilterRoot } from "./root";

export { proxy_abi_version_0_2_0 } from "@solo-io/proxy-runtime/assembly/exports";
export { free, malloc } from "@solo-io/proxy-runtime/assembly/malloc";

type RootFactory = (contextId: u32) => FilterRoot;

const factories = new Map<string, RootFactory>();

/** Every live context by its id: a root context has itself, a stream its root. */
const contexts = new Map<u32, FilterRoot>();

/** Makes a root id known: a proxy that names it gets what `create` makes. */
export function registerRoot(rootId: string, create: RootFactory): void {
  factories.set(rootId, create);
}

/** Calls of filter code that are running. Their locals may be all that refers to an object. */
let running = 0;
let deleted = 0;

export function proxy_on_context_create(contextId: u32, rootContextId: u32): void {
  contexts.set(contextId, rootContextId == 0 ? createRoot(contextId) : contexts.get(rootContextId));
}

export function proxy_on_delete(contextId: u32): void {
  contexts.delete(contextId);
  if (++deleted % 1024 == 0) collect();
}

export function proxy_on_configure(rootContextId: u32, size: u32): u32 {
  running++;
  const accepted = contexts.get(rootContextId).onConfigure(size);
  running--;
  collect();
  return accepted ? 1 : 0;
}

export function proxy_on_tick(rootContextId: u32): void {
  running++;
  contexts.get(rootContextId).onTick();
  running--;
  collect();
}

export function proxy_on_http_call_response(
  rootContextId: u32,
  token: u32,
  headers: u32,
  bodySize: u32,
  trailers: u32,
): void {
  running++;
  contexts.get(rootContextId).onHttpCallResponse(token, headers, bodySize, trailers);
  running--;
  collect();
}

/** 0 is `Continue`. */
export function proxy_on_request_headers(contextId: u32, headers: u32, endOfStream: u32): i32 {
  running++;
  contexts.get(contextId).onRequestHeaders();
  running--;
  return 0;
}

export function proxy_on_response_headers(contextId: u32, headers: u32, endOfStream: u32): i32 {
  running++;
  contexts.get(contextId).onResponseHeaders();
  running--;
  return 0;
}

/** The runtime `minimal`, with half of the code of `incremental`, collects when it is told to: between callbacks. */
function collect(): void {
  if (running == 0) __collect();
}

function createRoot(contextId: u32): FilterRoot {
  const rootId = String.UTF8.decode(get_property("plugin_root_id"));
  const root = factories.has(rootId) ? factories.get(rootId)(contextId) : new UnknownRoot(contextId);
  root.rootId = rootId;
  return root;
}

/** Stands for a root id that the module has not: the proxy is told so, and no stream gets as far as it. */
class UnknownRoot extends FilterRoot {
  constructor(contextId: u32) {
    super(contextId);
  }

  onConfigure(size: u32): bool {
    error(`unknown root id ${quoted(this.rootId)}: this module has ${factories.keys().join(", ")}`);
    return false;
  }

  configure(configuration: Configuration): void {}
}
