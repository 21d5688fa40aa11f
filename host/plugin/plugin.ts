import { readFileSync } from "node:fs";

import { type LogLevel, logLevels } from "../abi/abi.ts";
import { type FilterTrap, type LogLine, PluginRefused } from "../abi/errors.ts";
import { Clock } from "../hostcalls/clock.ts";
import type { Cluster } from "../hostcalls/clusters.ts";
import { type HostState, hostFunctions } from "../hostcalls/hostcalls.ts";
import { type Metric, Metrics } from "../hostcalls/metrics.ts";
import type { Property } from "../hostcalls/properties.ts";
import { SharedState, type SharedValue } from "../hostcalls/shared.ts";
import { type Counters, Vm } from "../vm/vm.ts";
import { type PluginConfig, PluginRoot, type UnknownClusters, VmContext } from "./root.ts";
import { Stream } from "./stream.ts";

/**
 * What a proxy does with requests once the module has trapped: `open` lets them pass, the one it trapped in too (Envoy's
 * `fail_open: true`; its `failure_policy: FAIL_OPEN` lets only the later ones pass), `close` answers 503, `reload`
 * answers 503 and starts a new VM for a later request, a second after the last start at the earliest.
 */
export type FailurePolicy = "open" | "close" | "reload";

export interface PluginOptions {
  /** The module's bytes, or its file. */
  wasm: Uint8Array | string;
  /** Picks the root context in the module; default: the empty one. */
  rootId?: string;
  /** What the module reads as its configuration; default: none. */
  configuration?: string | Uint8Array;
  /** The VM's own configuration, in `proxy_on_vm_start`. */
  vmConfiguration?: string | Uint8Array;
  pluginName?: string;
  vmId?: string;
  /** What `proxy_get_property` finds, as a tree: `{ xds: { node: { id: "x" } } }`; `request`, `response`, `plugin_*` too. */
  properties?: { [name: string]: Property };
  /** Clusters that the module may call, by name. */
  clusters?: Readonly<Record<string, Cluster>>;
  /** Calls to other clusters are refused, as in Envoy; `silent` takes and never answers them. */
  unknownClusters?: UnknownClusters;
  /** The clock's start, in milliseconds since 1970; default: now. */
  now?: number;
  /** A clock to share with other plugins, in place of `now`. */
  clock?: Clock;
  /** Shared data and queues to share with other plugins, as Envoy's workers do. */
  shared?: SharedState;
  /** Lines below are not kept; default `info`, as Envoy's. */
  logLevel?: LogLevel;
  /** Called with each line that is kept. */
  onLog?: (line: LogLine) => void;
  /** Default: close, as Envoy's. */
  failure?: FailurePolicy;
  /**
   * A plugin whose VM this one shares, as Envoy has it for filters with one `vm_id` and module: of `wasm`, `vmId` and what
   * is shared anyway the other one's are taken. A VM that dies is not loaded again for this one.
   */
  beside?: Plugin;
  /** Called with the name of each export before the module is entered there. */
  onCall?: (callback: string) => void;
}

/** Envoy waits so long after a load before it loads a failed module again. */
const reloadIntervalMs = 1000;

/**
 * A proxy-wasm module, loaded and configured as Envoy does it, in this Node's V8. Nothing happens by itself: streams
 * are given to it, and its clock is moved by hand.
 */
export class Plugin {
  readonly clock: Clock;
  /** All lines of its VM at the log level or above, oldest first; also what the host says of a trap, at error. */
  readonly logs: LogLine[];
  /** Calls of its VM in both directions and allocations, since the start; see also `measure`. */
  readonly calls: Counters;
  readonly failure: FailurePolicy;

  #wasm: Uint8Array;
  #config: PluginConfig;
  #state: HostState;
  #onLog: (line: LogLine) => void;
  #onCall: (callback: string) => void;
  #vm!: Vm;
  #root!: PluginRoot;
  #loadedAt!: number;
  #beside: Plugin | undefined;

  /**
   * Loads the module, starts its VM and configures the plugin.
   * @throws PluginRefused what Envoy would refuse, UnsupportedModule what only a newer V8 may know, FilterTrap
   */
  static load(options: PluginOptions): Plugin {
    const plugin = new Plugin(options);
    plugin.#start();
    plugin.advance(0);
    return plugin;
  }

  private constructor(options: PluginOptions) {
    const { wasm, clock = new Clock(options.now), shared = new SharedState(), beside } = options;
    const { vmId = "", logLevel = "info" } = options;
    this.#wasm = typeof wasm === "string" ? readFileSync(wasm) : wasm;
    this.#state = beside ? beside.#state : { clock, shared, vmId, metrics: new Metrics(), logLevel };
    this.clock = this.#state.clock;
    this.logs = beside ? beside.logs : [];
    this.calls = beside ? beside.calls : { entries: {}, hostCalls: {}, allocations: 0, allocatedBytes: 0 };
    this.#beside = beside;
    this.failure = options.failure ?? "close";
    this.#onLog = options.onLog ?? (() => {});
    this.#onCall = options.onCall ?? (() => {});
    this.#config = {
      rootId: options.rootId ?? "",
      pluginName: options.pluginName ?? "",
      vmId: this.#state.vmId,
      configuration: Buffer.from(options.configuration ?? ""),
      vmConfiguration: Buffer.from(options.vmConfiguration ?? ""),
      properties: options.properties ?? {},
      clusters: options.clusters ?? {},
      unknownClusters: options.unknownClusters ?? "refuse",
    };
  }

  /** Why the VM is dead, if it is. */
  get trap(): FilterTrap | undefined {
    return this.#vm.failed;
  }

  /** What the module defined, by name. */
  get metrics(): ReadonlyMap<string, Metric> {
    return this.#state.metrics.byName;
  }

  /** The data of this plugin's vm_id. */
  get sharedData(): ReadonlyMap<string, SharedValue> {
    return this.#state.shared.data(this.#state.vmId);
  }

  get memoryBytes(): number {
    return this.#vm.memory.bytes;
  }

  /** Milliseconds between the module's ticks; undefined: it has no timer. */
  get tickPeriod(): number | undefined {
    return this.#root.tickPeriod;
  }

  /** A request through the filter. */
  stream(): Stream {
    if (this.#vm.failed && this.failure === "reload" && !this.#beside) this.#reload();
    return new Stream(this, this.#vm, this.#root);
  }

  /** Moves the clock: ticks, answers to calls and timeouts that fall due happen on the way, each at its time. */
  advance(milliseconds: number): void {
    this.clock.advance(milliseconds);
  }

  /** Moves the clock by one tick period. False: the module has set no timer. */
  tick(): boolean {
    const period = this.#root.tickPeriod;
    if (period === undefined) return false;
    this.advance(period);
    return true;
  }

  /** The proxy drops the plugin: the root context is told, and deleted once the module says that it is done. */
  close(): void {
    const done = this.#vm.has("proxy_on_done") ? this.#vm.call("proxy_on_done", this.#root, this.#root.id) : 1;
    if (done) this.#root.delete();
    else this.#root.waitingForDone = !this.#vm.failed;
    this.advance(0);
    if (!this.#root.waitingForDone) this.#root.cancelAll();
  }

  /**
   * What went on in the module while `run` ran: calls, allocations by the host, growth, and how many bytes of its
   * memory differ. A module that allocates nothing changes only what it was handed and its own fixed places.
   */
  measure<T>(run: () => T): { result: T; calls: Counters; grownBytes: number; changedBytes: number } {
    const before = structuredClone(this.calls);
    const memory = this.#vm.memory.read(0, this.memoryBytes) ?? new Uint8Array();
    const result = run();
    const now = this.#vm.memory.view(0, memory.length) ?? new Uint8Array();
    let changedBytes = 0;
    for (let i = 0; i < memory.length; i++) if (memory[i] !== now[i]) changedBytes++;
    const grownBytes = this.memoryBytes - memory.length;
    return { result, calls: difference(before, this.calls), grownBytes, changedBytes };
  }

  #start(): void {
    this.#loadedAt = this.clock.now;
    const vm = this.#beside ? this.#beside.#vm : this.#newVm();
    this.#vm = vm;
    if (vm.failed) throw vm.failed;
    const root = new PluginRoot(vm, this.#state, this.#config);
    this.#root = root;
    const { configuration, vmConfiguration } = this.#config;
    root.configuring = true;
    vm.call("proxy_on_context_create", root, root.id, 0);
    root.configuring = false;
    this.#mustAccept("proxy_on_vm_start", vmConfiguration.length, "start");
    root.configuring = true;
    this.#mustAccept("proxy_on_configure", configuration.length, "configure");
    root.configuring = false;
  }

  #newVm(): Vm {
    const vm = new Vm(this.#wasm, this.calls, {
      hostFunctions: (vm, abi) => hostFunctions(vm, abi, this.#state),
      onCall: (callback) => {
        this.clock.beginCall();
        this.#onCall(callback);
      },
      log: (level, message) => this.#log(level, message),
    });
    const vmContext = new VmContext(this.#config);
    vm.contexts.set(0, vmContext);
    vm.start(vmContext);
    return vm;
  }

  #mustAccept(callback: string, size: number, what: string): void {
    const [vm, root] = [this.#vm, this.#root];
    const accepted = !vm.has(callback) || vm.call(callback, root, root.id, size);
    if (accepted && !vm.failed) return;
    root.cancelAll();
    if (vm.failed) throw vm.failed;
    vm.contexts.delete(root.id);
    throw new PluginRefused(`Failed to ${what} base Wasm plugin: ${callback} returned false`);
  }

  /** A new VM in place of the dead one, not more often than once in the interval. If it fails too, the old stays. */
  #reload(): void {
    if (this.clock.now - this.#loadedAt < reloadIntervalMs) return;
    const [vm, root] = [this.#vm, this.#root];
    try {
      this.#start();
      root.cancelAll();
    } catch (error) {
      this.#vm = vm;
      this.#root = root;
      this.#log("error", `cannot reload the plugin: ${(error as Error).message}`);
    }
  }

  #log(level: LogLevel, message: string): void {
    if (logLevels.indexOf(level) < logLevels.indexOf(this.#state.logLevel)) return;
    const line = { level, message, at: this.clock.now };
    this.logs.push(line);
    this.#onLog(line);
  }
}

function difference(before: Counters, after: Counters): Counters {
  const subtract = (a: Record<string, number>, b: Record<string, number>) =>
    Object.fromEntries(
      Object.entries(b)
        .map(([name, count]): [string, number] => [name, count - (a[name] ?? 0)])
        .filter(([, count]) => count > 0),
    );
  return {
    entries: subtract(before.entries, after.entries),
    hostCalls: subtract(before.hostCalls, after.hostCalls),
    allocations: after.allocations - before.allocations,
    allocatedBytes: after.allocatedBytes - before.allocatedBytes,
  };
}
