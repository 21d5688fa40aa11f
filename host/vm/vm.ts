import { type AbiVersion, type LogLevel, Status } from "../abi/abi.ts";
import { FilterTrap } from "../abi/errors.ts";
import type { Context, RootContext } from "../plugin/context.ts";
import { type ModuleExport, type ModuleImport, readModule } from "./binary.ts";
import { abiOf, checkExports, checkImports, compile } from "./link.ts";
import { Memory } from "./memory.ts";
import { isTrap, panicIn, wasmStack } from "./trap.ts";

/** A host call. Integers come as they are in Wasm: i32 signed, i64 as bigint. */
export type Call = (...args: never[]) => number | undefined;

/** A function that the host gives to modules. */
export interface HostFunction {
  /** As in `abi.ts`: `iiI>i`. */
  signature: string;
  call: Call;
}

/** Host functions by `module.name`. */
export type HostFunctions = Map<string, HostFunction>;

/** What went through the border between host and module; figures only grow. */
export interface Counters {
  /** Calls into the module, by export, `malloc` included. */
  entries: Record<string, number>;
  /** Calls out of the module, by import without the module's name: `proxy_log`. */
  hostCalls: Record<string, number>;
  /** Blocks, and their bytes, that the host had the module allocate to hand over data. */
  allocations: number;
  allocatedBytes: number;
}

/** Host calls that a module may make while it starts or allocates; Envoy traps all others then. */
const duringAllocation = ["env.proxy_log", "fd_write", "clock_time_get", "poll_oneoff"];
const duringStart = (name: string) =>
  name === "env.proxy_log" ||
  name === "env.emscripten_notify_memory_growth" ||
  (/^wasi_/.test(name) && !/\.(proc_exit|fd_read|fd_seek|fd_close|path_open|sched_yield)$/.test(name));

export interface VmHooks {
  hostFunctions: (vm: Vm, abi: AbiVersion) => HostFunctions;
  /** Told before each call into the module, so that one that does not come back can be named. */
  onCall: (callback: string) => void;
  log: (level: LogLevel, message: string) => void;
}

/** One instance of a module: its memory, the call in progress, and whether it is still alive. */
export class Vm {
  readonly abi: AbiVersion;
  readonly memory = new Memory();
  readonly counters: Counters;
  readonly contexts = new Map<number, Context>();
  /** Set once the module has trapped; no callback runs from then on. */
  failed: FilterTrap | undefined;
  /** Set by a host call that stops the stream, whatever the callback then returns; of the last callback. */
  stopped = false;

  #functions = new Map<string, (...args: number[]) => number | undefined>();
  #exportNames = new Map<number, string>();
  #hooks: VmHooks;
  #current: Context | undefined;
  #effectiveId = 0;
  #mayCall: ((name: string) => boolean) | undefined;
  #afterCall: (() => void)[] = [];
  #depth = 0;
  #lastWords: string | undefined;
  /** What the call in progress has written to standard error, where runtimes write their panics, often word by word. */
  #stderr = "";
  #nextContextId = 1;

  /**
   * Checks, compiles, links and instantiates.
   * @throws PluginRefused, UnsupportedModule, FilterTrap
   */
  constructor(bytes: Uint8Array, counters: Counters, hooks: VmHooks) {
    this.counters = counters;
    this.#hooks = hooks;
    const outline = readModule(bytes);
    this.abi = abiOf(outline);
    const functions = hooks.hostFunctions(this, this.abi);
    checkImports(outline, functions);
    const exports = checkExports(outline, this.abi);
    const module = compile(bytes);
    for (const { name, kind, index } of outline.exports) if (kind === 0) this.#exportNames.set(index, name);
    this.#instantiate(module, outline.imports ?? [], functions, exports);
  }

  has(callback: string): boolean {
    return this.#functions.has(callback);
  }

  newContextId(): number {
    return this.#nextContextId++;
  }

  /** The context that a host call acts on: the one entered, or the one the module put in its place. */
  get context(): Context {
    const chosen = this.#effectiveId === 0 ? undefined : this.contexts.get(this.#effectiveId);
    return (chosen ?? this.#current) as Context; // host calls without any context have been trapped before
  }

  set effectiveContext(id: number) {
    this.#effectiveId = id;
  }

  /**
   * Calls an exported callback for a context. A trap is logged, kept in `failed` and not thrown.
   * @returns the callback's result, 0 where it has none; undefined: not exported, or the VM is dead
   */
  call(callback: string, context: Context, ...args: number[]): number | undefined {
    const entry = this.#functions.get(callback);
    if (!entry || this.failed) return undefined;
    const result = this.#enter(callback, context, () => entry(...args) ?? 0);
    return this.failed ? undefined : (result as number) >>> 0;
  }

  /** Starts the module itself, before there is any context: `_initialize` and `main`, or `_start`. */
  start(vmContext: Context): void {
    this.#mayCall = duringStart;
    if (this.has("_initialize")) {
      this.call("_initialize", vmContext);
      if (this.has("main")) this.call("main", vmContext, 0, 0);
      else this.call("__main_void", vmContext);
    } else {
      this.call("_start", vmContext);
    }
    this.#mayCall = undefined;
  }

  /** Has the module allocate, and puts the bytes there. undefined: it gave no memory. */
  allocate(bytes: Uint8Array): number | undefined {
    const [name, malloc] = ["malloc", "proxy_on_memory_allocate"]
      .map((export_) => [export_, this.#functions.get(export_)] as const)
      .find(([, entry]) => entry) as [string, (size: number) => number];
    this.counters.allocations++;
    this.counters.allocatedBytes += bytes.length;
    const outer = this.#mayCall;
    this.#mayCall = (callee) => duringAllocation.some((allowed) => callee.endsWith(allowed));
    const pointer = this.#enter(name, this.contexts.get(0), () => malloc(bytes.length), false);
    this.#mayCall = outer;
    if (!pointer || !this.memory.write(pointer as number, bytes)) return undefined;
    return (pointer as number) >>> 0;
  }

  /** Allocates and tells the module where: an empty text is pointer 0, size 0. False: a bad address. */
  give(bytes: Uint8Array, pointerAt: number, sizeAt: number): boolean {
    const pointer = bytes.length === 0 ? 0 : this.allocate(bytes);
    if (pointer === undefined) return false;
    return this.memory.writeU32(pointerAt, pointer) && this.memory.writeU32(sizeAt, bytes.length);
  }

  /** Runs once the call in progress has returned: a host call must not re-enter the module. */
  afterCall(action: () => void): void {
    this.#afterCall.push(action);
  }

  log(level: LogLevel, message: string): void {
    // The last thing said at error level or above tells why, should a trap follow.
    if ((level === "error" || level === "critical") && message.trim() !== "") this.#lastWords = message;
    this.#hooks.log(level, message);
  }

  /** One write to standard output or error is one line of the log, a trailing newline less. */
  output(stream: "stdout" | "stderr", text: string): void {
    if (stream === "stderr") this.#stderr += text;
    this.log(stream === "stdout" ? "info" : "error", text.replace(/\n$/, ""));
  }

  #enter(name: string, context: Context | undefined, run: () => unknown, isCallback = true): unknown {
    count(this.counters.entries, name);
    const saved = { current: this.#current, effective: this.#effectiveId, limit: Error.stackTraceLimit };
    this.#current = context;
    this.#effectiveId = 0;
    if (isCallback) {
      this.#lastWords = undefined;
      this.#stderr = "";
      this.stopped = false;
      this.#hooks.onCall(name);
    }
    Error.stackTraceLimit = 50;
    this.#depth++;
    try {
      return run();
    } catch (error) {
      this.#fail(name, error);
      return undefined;
    } finally {
      this.#depth--;
      Error.stackTraceLimit = saved.limit;
      this.#current = saved.current;
      this.#effectiveId = saved.effective;
      if (isCallback && this.#depth === 0) this.#afterCalls();
    }
  }

  #afterCalls(): void {
    for (let action = this.#afterCall.shift(); action; action = this.#afterCall.shift()) action();
  }

  #fail(callback: string, error: unknown): void {
    if (!isTrap(error)) throw error;
    const stack = wasmStack(error, this.#exportNames);
    const said = panicIn(this.#stderr) ?? this.#lastWords;
    this.failed = new FilterTrap(callback, said ?? error.message, stack);
    this.#hooks.log("error", `Function: ${callback} failed: Uncaught ${error.name}: ${error.message}`);
  }

  #instantiate(
    module: WebAssembly.Module,
    imports: ModuleImport[],
    functions: HostFunctions,
    exports: ModuleExport[],
  ): void {
    const linked: Record<string, Record<string, unknown>> = {};
    let memory: WebAssembly.Memory | undefined;
    for (const { module: from, name, kind, limits } of imports) {
      linked[from] ??= {};
      if (kind === "memory") linked[from][name] = memory = new WebAssembly.Memory(limits ?? { initial: 0 });
      else if (kind === "table")
        linked[from][name] = new WebAssembly.Table({ element: "anyfunc", initial: 0, ...limits });
      else linked[from][name] = this.#guarded(`${from}.${name}`, functions.get(`${from}.${name}`) as HostFunction);
    }
    this.memory.attach(memory);
    const instance = this.#enter("(start section)", undefined, () => new WebAssembly.Instance(module, linked));
    if (this.failed) throw this.failed;
    const exported = (instance as WebAssembly.Instance).exports;
    for (const { name } of exports) this.#functions.set(name, exported[name] as () => number);
    const own = Object.values(exported).find((value) => value instanceof WebAssembly.Memory);
    this.memory.attach((own as WebAssembly.Memory | undefined) ?? memory);
  }

  #guarded(name: string, { call, signature }: HostFunction): (...args: never[]) => number | undefined {
    const short = name.slice(name.indexOf(".") + 1);
    const hasResult = !signature.endsWith(">");
    return (...args) => {
      count(this.counters.hostCalls, short);
      if (!this.#current) throw new WebAssembly.RuntimeError(`calls ${name} ${noContext}`);
      if (this.#mayCall && !this.#mayCall(name)) {
        throw new WebAssembly.RuntimeError(`restricted_callback: ${name} may not be called while the module starts`);
      }
      const result = call(...args);
      return hasResult ? result : undefined;
    };
  }
}

/** The root context that a host call belongs to. */
export function root(vm: Vm): RootContext {
  const { root } = vm.context;
  if (!root) throw new WebAssembly.RuntimeError("calls the host for a plugin before there is one");
  return root;
}

/** The status of a host call that ends by storing its results. */
export function stored(ok: boolean): Status {
  return ok ? Status.Ok : Status.InvalidMemoryAccess;
}

/** Envoy 1.40 itself is brought down by this: a null pointer. */
const noContext =
  "while it is being instantiated, which crashes the proxy: start in an exported _start (AssemblyScript: --exportStart _start)";

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
