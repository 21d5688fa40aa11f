// `@solo-io/proxy-runtime` 0.1.8 was written for AssemblyScript 0.14, which counted references: its `malloc` and `free`
// import `__retain` and `__release` from here. Under the tracing collector of today the same is said by pinning: what the
// host was given memory for stays until `free`.

/** Keeps the object at `ptr` until `__release`. */
export function __retain(ptr: usize): usize {
  return __pin(ptr);
}

/** Hands the object at `ptr` to the collector; whoever still refers to it keeps it. */
export function __release(ptr: usize): void {
  __unpin(ptr);
}
