// A filter that exports these two functions is told when a stream begins and ends. So its VM always knows a stream's root.
// The price: two more calls of the module for each request.

import { askFirst, removeRoot } from "./roots";

/** The root's id by the stream's. */
let streams: Map<u32, u32> = changetype<Map<u32, u32>>(0);
let deleted: u32 = 0;

export function proxy_on_context_create(contextId: u32, rootContextId: u32): void {
  if (rootContextId != 0) {
    streams.set(contextId, rootContextId);
  } else if (!changetype<usize>(streams)) {
    streams = new Map<u32, u32>();
    askFirst(rootIdOf);
  }
}

export function proxy_on_delete(contextId: u32): void {
  if (!streams.delete(contextId)) removeRoot(contextId);
  if (++deleted % 1024 == 0) __collect();
}

function rootIdOf(streamId: u32): u32 {
  return streams.has(streamId) ? streams.get(streamId) : 0;
}
