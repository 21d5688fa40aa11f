// The root contexts of this VM, and which of them a stream belongs to.
//
// A host can tell when it makes a stream's context and when it drops it (streams.ts), but to be told takes two more entries
// into the module with each request. A VM with one root does without, and that is what a VM has unless filters share a
// `vm_id` and a module. Where they do, the host is asked for what it tells them apart by: the filter's name, and its root
// id. Roots that have both in common are one filter before and after a change of its configuration. The newer one has the
// streams that began since, as long as the host keeps it.

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
  // Now and then it is worth a look at whether all are still there: with the last but one, the search ends.
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

/** Forgets the roots that the host no longer has. @param current context, which is the current one again after that */
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
