/** What a module that has trapped tells of itself: its own words, and where it was. */

/** Traps, Wasm exceptions that nobody caught, and a stack that ran over; anything else is a defect of the host. */
export function isTrap(error: unknown): error is Error {
  return (
    error instanceof WebAssembly.RuntimeError ||
    error instanceof WebAssembly.Exception ||
    (error instanceof RangeError && /call stack|memory|wasm/i.test(error.message))
  );
}

/** Go's `panic: no such thing`, or its `fatal error: …`. */
export function panicIn(stderr: string): string | undefined {
  return /^(?:panic|fatal error): .*/m.exec(stderr)?.[0];
}

/** The Wasm frames of a V8 stack: `name (wasm-function[12] at 0x1f3)`; of a run of the same frame, one and how many. */
export function wasmStack(error: Error, exportNames: Map<number, string>): string[] {
  const frames = callSites(error).flatMap((site) => {
    const frame = /^(?:(.*) \()?wasm:\/\/.*:wasm-function\[(\d+)\]:(0x[0-9a-f]+)\)?$/.exec(site);
    if (!frame) return [];
    const [, name, index, offset] = frame;
    const known = name?.replace(/^wasm-module\./, "") ?? exportNames.get(Number(index));
    return [known ? `${known} (wasm-function[${index}] at ${offset})` : `wasm-function[${index}] (at ${offset})`];
  });
  return frames.flatMap((frame, i) => {
    if (frame === frames[i - 1]) return [];
    const next = frames.findIndex((other, at) => at > i && other !== frame);
    const times = (next < 0 ? frames.length : next) - i;
    return [times > 1 ? `${frame}, ${times} times` : frame];
  });
}

/** The stack in V8's own words: loaders and test runners rewrite the text of `stack`. */
function callSites(error: Error): string[] {
  const rewrite = Error.prepareStackTrace;
  try {
    Error.prepareStackTrace = (_, sites) => sites.map(String);
    const sites: unknown = error.stack;
    return Array.isArray(sites) ? sites : [];
  } finally {
    Error.prepareStackTrace = rewrite;
  }
}
