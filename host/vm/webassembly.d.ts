/** What this host uses of V8's WebAssembly: neither `es2023` nor Node's own types declare it. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
  }
  class Instance {
    readonly exports: Record<string, unknown>;
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
  }
  class Memory {
    readonly buffer: ArrayBuffer;
    constructor(limits: { initial: number; maximum?: number });
  }
  class Table {
    constructor(limits: { element: "anyfunc"; initial: number; maximum?: number });
  }
  class Exception extends Error {}
  class CompileError extends Error {}
  class RuntimeError extends Error {}
}
