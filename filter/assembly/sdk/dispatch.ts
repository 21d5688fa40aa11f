// What the proxy calls. The SDK's own dispatcher (`@solo-io/proxy-runtime/assembly/proxy`) exports every callback of the
// ABI and joins the ids of all live contexts into debug lines, several for each request; this one does neither.
//
// Ticks and configurations leave garbage behind, requests do not. It is collected where one ends: no call of the host runs
// within another, as what a host call brings about waits until the callback that made it has returned.

import { LogLevel } from "./abi";
import { Line, scratch } from "./line";
import { log } from "./log";
import { property } from "./memory";
import { FilterRoot } from "./root";
import { addRoot, rootById, rootOfStream } from "./roots";
import { isSame, Text, textIn, utf8 } from "./text";

export { free, malloc } from "./memory";
export { proxy_on_context_create, proxy_on_delete } from "./streams";

type RootFactory = (contextId: u32) => FilterRoot;

class Registration {
  constructor(
    readonly rootId: Text,
    readonly create: RootFactory,
    readonly before: Registration | null,
  ) {}
}

let registrations: Registration | null = null;

/** Makes a root id known: a proxy that names it gets what `create` makes. */
export function register(rootId: Text, create: RootFactory): void {
  registrations = new Registration(rootId, create, registrations);
}

/** The host looks for this name, and never calls it. */
export function proxy_abi_version_0_2_0(): void {}

export function proxy_on_configure(rootContextId: u32, size: u32): u32 {
  const known = rootById(rootContextId);
  const root = known ? known : newRoot(rootContextId);
  const accepted = root !== null && root.onConfigure(size);
  if (root && accepted && !known) addRoot(root);
  __collect();
  return accepted ? 1 : 0;
}

export function proxy_on_tick(rootContextId: u32): void {
  const root = rootById(rootContextId);
  if (root) root.onTick();
  __collect();
}

export function proxy_on_http_call_response(
  rootContextId: u32,
  token: u32,
  headers: u32,
  bodySize: u32,
  trailers: u32,
): void {
  const root = rootById(rootContextId);
  if (root) root.onHttpCallResponse(token, headers, bodySize, trailers);
  __collect();
}

/** 0 is `Continue`. */
export function proxy_on_request_headers(contextId: u32, headers: u32, endOfStream: u32): i32 {
  const root = rootOfStream(contextId);
  if (root) root.onRequestHeaders();
  return 0;
}

export function proxy_on_response_headers(contextId: u32, headers: u32, endOfStream: u32): i32 {
  const root = rootOfStream(contextId);
  if (root) root.onResponseHeaders();
  return 0;
}

/** Null for a root id that the module has not. */
function newRoot(contextId: u32): FilterRoot | null {
  const id = property(utf8("plugin_root_id"));
  let registration = registrations;
  while (registration && !isSame(registration.rootId, textIn(id))) registration = registration.before;
  if (registration) {
    const root = registration.create(contextId);
    root.root = id;
    root.plugin = property(utf8("plugin_name"));
    return root;
  }
  const line = scratch.clear().add(utf8('unknown root id "%": this module has '), textIn(id));
  log(LogLevel.Error, addRootIds(line, registrations));
  return null;
}

/** In the order of their registration. */
function addRootIds(line: Line, last: Registration | null): Line {
  if (!last) return line;
  return addRootIds(line, last.before).add(last.before ? utf8(", %") : utf8("%"), last.rootId);
}
