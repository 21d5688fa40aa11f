// The root contexts of this VM, and which of them a stream belongs to.
//
// Most VMs have one root: all streams are its own. A VM has several where filters share a `vm_id` and a module. Then the
// host is asked for the name of the stream's filter and for its root id, and the root that has both is the stream's.
// Two roots may have both in common: the same filter before and after a change of its configuration. Then the newer one
// is taken, as long as the host has it. (The host could also tell of each stream that begins and ends, see streams.ts.
// That costs two more calls of the module for each request.)

import { proxy_set_effective_context } from "@solo-io/proxy-runtime/assembly/imports";
import { Status } from "./abi";
import { property } from "./memory";
import { FilterRoot } from "./root";
import { isSame, textIn, utf8 } from "./text";

/** All that have taken a configuration, the newest first. */
let newest: FilterRoot | null = null;
/** How often a stream's root had to be looked for. */
let searches: u32 = 0;
/** Where the host tells of streams: the root's id of one, or 0. */
let toldBy: ((streamId: u32) => u32) | null = null;

export function rootOfStream(streamId: u32): FilterRoot | null {
  const root = newest;
  return root && !root.older ? root : search(streamId);
}

export function rootById(contextId: u32): FilterRoot | null {
  let root = newest;
  while (root && root.contextId != contextId) root = root.older;
  return root;
}

/** Adds the current root; those that the host has dropped meanwhile go. */
export function addRoot(root: FilterRoot): void {
  root.older = newest;
  newest = root;
  removeDropped(root.contextId);
}

/** The host is about to drop it. */
export function removeRoot(contextId: u32): void {
  let newer: FilterRoot | null = null;
  let root = newest;
  while (root && root.contextId != contextId) {
    newer = root;
    root = root.older;
  }
  if (!root) return;
  if (newer) newer.older = root.older;
  else newest = root.older;
}

/** From now on, `rootIdOf` knows. */
export function askFirst(rootIdOf: (streamId: u32) => u32): void {
  toldBy = rootIdOf;
}

function search(streamId: u32): FilterRoot | null {
  const rootIdOf = toldBy;
  if (rootIdOf) return rootById(rootIdOf(streamId));

  const isTurn = ++searches % 256 == 0;
  if (isTurn) __collect(); // what the host handed over for the others
  const name = property(utf8("plugin_name"));
  let named: FilterRoot | null = null;
  let count = 0;
  let root = newest;
  while (root) {
    if (isSame(textIn(root.plugin), textIn(name))) {
      named = root;
      count++;
    }
    root = root.older;
  }
  // From time to time, roots that the host has dropped are looked for. Once one root is left, no search is needed.
  if (count == 1 && !isTurn) return named;

  removeDropped(streamId);
  const id = property(utf8("plugin_root_id"));
  named = null;
  root = newest;
  while (root) {
    if (isSame(textIn(root.plugin), textIn(name)) && isSame(textIn(root.root), textIn(id))) {
      if (root.contextId < streamId) return root;
      if (!named) named = root;
    }
    root = root.older;
  }
  return named;
}

/** Forgets the roots that the host has dropped. @param current context; it is current again afterwards */
function removeDropped(current: u32): void {
  let newer: FilterRoot | null = null;
  let root = newest;
  while (root) {
    if (proxy_set_effective_context(root.contextId) != Status.BadArgument) newer = root;
    else if (newer) newer.older = root.older;
    else newest = root.older;
    root = root.older;
  }
  proxy_set_effective_context(current);
}
