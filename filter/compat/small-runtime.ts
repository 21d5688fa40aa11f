// A runtime in place of AssemblyScript's `minimal`, to the same effect in a tenth of the code: memory is given back by
// `__collect`, which is called between the host's calls. `minimal` can have any number of objects come and go at any
// time; here few are there at a time, and they go all at once.
//
// Blocks lie one after another from `start` to `end`, each with its size. One that nothing refers to becomes free, and one
// with its free neighbours; what is new goes into the first free block that is large enough, from where the last one went.

import { OBJECT, TOTAL_OVERHEAD } from "rt/common";

const enum Mark {
  Free,
  Unreached,
  Reached,
}

let end: usize = __heap_base;
let next: usize = __heap_base;

export function __new(size: usize, id: u32): usize {
  const needed = (TOTAL_OVERHEAD + size + 7) & ~7;
  let object = changetype<OBJECT>(next);
  while (next < end && !(object.gcInfo == Mark.Free && object.mmInfo >= needed)) {
    next += object.mmInfo;
    object = changetype<OBJECT>(next);
  }
  if (next == end) {
    end += needed;
    const missing = <i32>((end + 0xffff) >>> 16) - memory.size();
    if (missing > 0 && memory.grow(missing) < 0) unreachable();
  } else {
    const rest = changetype<OBJECT>(next + needed);
    if (object.mmInfo > needed) {
      rest.mmInfo = object.mmInfo - needed;
      rest.gcInfo = Mark.Free;
    }
  }
  object.mmInfo = needed;
  object.gcInfo = Mark.Unreached;
  object.rtId = id;
  object.rtSize = <u32>size;
  next += needed;
  return changetype<usize>(object) + TOTAL_OVERHEAD;
}

export function __visit(ptr: usize, cookie: u32): void {
  const object = changetype<OBJECT>(ptr - TOTAL_OVERHEAD);
  if (ptr < __heap_base || object.gcInfo == Mark.Reached) return;
  object.gcInfo = Mark.Reached;
  __visit_members(ptr, cookie);
}

export function __collect(): void {
  __visit_globals(0);
  let free: OBJECT | null = null;
  for (next = __heap_base; next < end; ) {
    const object = changetype<OBJECT>(next);
    next += object.mmInfo;
    if (object.gcInfo == Mark.Reached) {
      object.gcInfo = Mark.Unreached;
      free = null;
    } else if (free) {
      free.mmInfo += object.mmInfo;
    } else {
      object.gcInfo = Mark.Free;
      free = object;
    }
  }
  if (free) end = changetype<usize>(free);
  next = __heap_base;
}

export function __pin(ptr: usize): usize {
  return ptr;
}

export function __unpin(ptr: usize): void {}

export function __link(parent: usize, child: usize, expectMultiple: bool): void {}
