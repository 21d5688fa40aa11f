import { BufferType, MapType, Status } from "../abi/abi.ts";
import type { HeaderMap } from "../abi/headers.ts";
import { answerCall, type Cluster, type Delivery, isCompleteCall } from "../hostcalls/clusters.ts";
import type { HostState } from "../hostcalls/hostcalls.ts";
import { lookUp, type Property } from "../hostcalls/properties.ts";
import type { Vm } from "../vm/vm.ts";
import type { Bytes, Context, HttpCallRequest, RootContext } from "./context.ts";

/** For clusters that are not named: refuse the call as Envoy does, or leave it unanswered; perhaps by the name. */
export type UnknownClusters = "refuse" | "silent" | ((name: string) => "refuse" | "silent");

/** What a plugin is configured with, once it is settled. */
export interface PluginConfig {
  rootId: string;
  pluginName: string;
  vmId: string;
  configuration: Uint8Array;
  vmConfiguration: Uint8Array;
  properties: { [name: string]: Property };
  clusters: Readonly<Record<string, Cluster>>;
  unknownClusters: UnknownClusters;
}

/** The VM's own context, id 0: it belongs to no plugin. */
export class VmContext implements Context {
  readonly id = 0;
  readonly root = undefined;
  readonly #config: PluginConfig;

  constructor(config: PluginConfig) {
    this.#config = config;
  }

  property(): undefined {
    return undefined;
  }

  headers(): undefined {
    return undefined;
  }

  headersWritable(): boolean {
    return false;
  }

  buffer(type: number): Bytes | undefined {
    return type === BufferType.VmConfiguration ? { bytes: this.#config.vmConfiguration } : undefined;
  }
}

/** A plugin's root context in one VM. */
export class PluginRoot implements RootContext {
  readonly id: number;
  readonly root = this;
  readonly config: PluginConfig;
  callStatus: { code: number; message: string } = { code: 0, message: "" };
  /** The configuration can be read only while it is being given. */
  configuring = false;
  /** The host has said goodbye and the module asked it to wait. */
  waitingForDone = false;

  #vm: Vm;
  #state: HostState;
  #period = 0;
  #cancelTick: () => void = () => {};
  #pending = new Set<() => void>();
  #response: Delivery["response"];
  #lastToken = 0;

  constructor(vm: Vm, state: HostState, config: PluginConfig) {
    this.#vm = vm;
    this.#state = state;
    this.config = config;
    this.id = vm.newContextId();
    vm.contexts.set(this.id, this);
  }

  property(path: string[]): unknown {
    const { rootId, pluginName, vmId, properties } = this.config;
    return lookUp({ ...properties, plugin_root_id: rootId, plugin_name: pluginName, plugin_vm_id: vmId }, path);
  }

  headers(type: number): HeaderMap | undefined {
    if (type === MapType.HttpCallResponseHeaders) return this.#response?.headers;
    return type === MapType.HttpCallResponseTrailers ? this.#response?.trailers : undefined;
  }

  headersWritable(): boolean {
    return false;
  }

  buffer(type: number): Bytes | undefined {
    switch (type) {
      case BufferType.VmConfiguration:
        return { bytes: this.config.vmConfiguration };
      case BufferType.PluginConfiguration:
        return this.configuring ? { bytes: this.config.configuration } : undefined;
      case BufferType.HttpCallResponseBody:
        return this.#response && { bytes: this.#response.body };
      default:
        return { bytes: new Uint8Array() }; // Envoy has a buffer for each of the others, empty where nothing is in it
    }
  }

  /** Milliseconds between ticks; undefined: no timer. */
  get tickPeriod(): number | undefined {
    return this.#period > 0 ? this.#period : undefined;
  }

  setTickPeriod(milliseconds: number): void {
    this.#cancelTick();
    this.#period = milliseconds;
    if (milliseconds > 0) this.#cancelTick = this.#state.clock.after(milliseconds, () => this.#tick());
  }

  #tick(): void {
    this.#vm.call("proxy_on_tick", this, this.id);
    if (!this.#vm.failed) this.setTickPeriod(this.#period);
  }

  httpCall(call: HttpCallRequest): { token: number } | Status {
    if (call.timeoutMs < 0) return Status.BadArgument;
    const { clusters, unknownClusters } = this.config;
    const named = Object.hasOwn(clusters, call.cluster) ? clusters[call.cluster] : undefined;
    const otherwise = () => (typeof unknownClusters === "function" ? unknownClusters(call.cluster) : unknownClusters);
    const cluster = named ?? (otherwise() === "silent" ? "silent" : undefined);
    if (cluster === undefined || !isCompleteCall(call.headers)) return Status.BadArgument;
    this.#lastToken += 4; // the last two bits tell calls of other kinds apart
    const token = this.#lastToken;
    const delivery = answerCall(cluster, call);
    if (delivery) {
      const cancel = this.#state.clock.after(delivery.delayMs, () => {
        this.#pending.delete(cancel);
        this.#deliver(token, delivery);
      });
      this.#pending.add(cancel);
    }
    return { token };
  }

  #deliver(token: number, { response }: Delivery): void {
    if (!response) this.callStatus = { code: Status.BrokenConnection, message: "reset" };
    this.#response = response;
    const sizes = [response?.headers.size ?? 0, response?.body.length ?? 0, response?.trailers.size ?? 0];
    this.#vm.call("proxy_on_http_call_response", this, this.id, token, ...sizes);
    this.#response = undefined;
    this.callStatus = { ...this.callStatus, message: "" };
  }

  registerQueue(name: string): number {
    const { clock, shared, vmId } = this.#state;
    return shared.registerQueue(vmId, name, (token) => {
      clock.after(0, () => this.#vm.call("proxy_on_queue_ready", this, this.id, token));
    });
  }

  done(): boolean {
    if (!this.waitingForDone) return false;
    this.waitingForDone = false;
    this.#vm.afterCall(() => this.delete());
    return true;
  }

  /** The last that the module hears of it. */
  delete(): void {
    this.#vm.call("proxy_on_delete", this, this.id);
    this.#vm.contexts.delete(this.id);
  }

  /** Takes back what the clock still holds for this context. */
  cancelAll(): void {
    this.#cancelTick();
    for (const cancel of this.#pending) cancel();
    this.#pending.clear();
  }
}
