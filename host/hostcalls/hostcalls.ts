import { type AbiVersion, type LogLevel, logLevels, Status } from "../abi/abi.ts";
import { readable } from "../abi/text.ts";
import { type Call, type HostFunctions, root, stored, type Vm } from "../vm/vm.ts";
import { wasiFunctions } from "../vm/wasi.ts";
import type { Clock } from "./clock.ts";
import { httpCalls } from "./httpcalls.ts";
import type { Metrics } from "./metrics.ts";
import { serializeProperty } from "./properties.ts";
import type { SharedState } from "./shared.ts";

/** What host calls reach beyond the context they are made in. */
export interface HostState {
  clock: Clock;
  /** Lines below it are not kept. */
  logLevel: LogLevel;
  shared: SharedState;
  vmId: string;
  metrics: Metrics;
}

/** All that Envoy offers a module of that ABI version: `env.proxy_*`, WASI, and a few names of toolchains. */
export function hostFunctions(vm: Vm, abi: AbiVersion, state: HostState): HostFunctions {
  const functions: HostFunctions = new Map();
  const groups = [
    general(vm, abi, state),
    properties(vm),
    ...httpCalls(vm, abi),
    shared(vm, state),
    metrics(vm, state),
  ];
  for (const [name, [signature, call]] of groups.flatMap((group) => Object.entries(group))) {
    functions.set(`env.${name}`, { signature, call });
  }
  for (const [name, host] of wasiFunctions(vm, state)) {
    functions.set(`wasi_snapshot_preview1.${name}`, host);
    functions.set(`wasi_unstable.${name}`, host);
  }
  return functions;
}

function general(vm: Vm, abi: AbiVersion, { clock, logLevel }: HostState): Record<string, [string, Call]> {
  return {
    proxy_log: [
      "iii>i",
      (level: number, pointer: number, size: number) => {
        const name = logLevels[level];
        if (!name) return Status.BadArgument;
        const message = vm.memory.text(pointer, size);
        if (message === undefined) return Status.InvalidMemoryAccess;
        vm.log(name, readable(message));
        return Status.Ok;
      },
    ],
    ...(abi === "0.2.1" && {
      proxy_get_log_level: ["i>i", (at: number) => stored(vm.memory.writeU32(at, logLevels.indexOf(logLevel)))],
    }),
    proxy_get_current_time_nanoseconds: ["i>i", (at: number) => stored(vm.memory.writeU64(at, clock.readRealtime()))],
    proxy_set_tick_period_milliseconds: [
      "i>i",
      (milliseconds: number) => {
        root(vm).setTickPeriod(milliseconds >>> 0);
        return Status.Ok;
      },
    ],
    proxy_get_status: [
      "iii>i",
      (codeAt: number, pointerAt: number, sizeAt: number) => {
        const { code, message } = root(vm).callStatus;
        return stored(vm.memory.writeU32(codeAt, code) && vm.give(Buffer.from(message), pointerAt, sizeAt));
      },
    ],
    proxy_set_effective_context: [
      "i>i",
      (id: number) => {
        if (!vm.contexts.has(id)) return Status.BadArgument;
        vm.effectiveContext = id;
        return Status.Ok;
      },
    ],
    proxy_done: [">i", () => (root(vm).done() ? Status.Ok : Status.NotFound)],
    // Envoy's foreign functions (compression, signatures, filter state) are not here.
    proxy_call_foreign_function: [
      "iiiiii>i",
      (name: number, nameSize: number, args: number, argsSize: number) =>
        vm.memory.view(name, nameSize) && vm.memory.view(args, argsSize) ? Status.NotFound : Status.InvalidMemoryAccess,
    ],
    envoy_resolve_dns: ["iii>i", () => Status.Unimplemented],
    emscripten_notify_memory_growth: ["i>", () => undefined],
    pthread_equal: ["ii>i", (left: number, right: number) => (left === right ? 1 : 0)],
  };
}

function properties(vm: Vm): Record<string, [string, Call]> {
  return {
    proxy_get_property: [
      "iiii>i",
      (path: number, pathSize: number, pointerAt: number, sizeAt: number) => {
        const text = vm.memory.text(path, pathSize);
        if (text === undefined) return Status.InvalidMemoryAccess;
        const parts = text.replace(/\0$/, "").split("\0");
        const value = serializeProperty(vm.context.property(parts));
        return value ? stored(vm.give(value, pointerAt, sizeAt)) : Status.NotFound;
      },
    ],
    proxy_set_property: [
      "iiii>i",
      (path: number, pathSize: number, pointer: number, size: number) => {
        const [name, value] = [vm.memory.text(path, pathSize), vm.memory.read(pointer, size)];
        if (name === undefined || !value) return Status.InvalidMemoryAccess;
        const { context } = vm;
        if (!context.setProperty) return Status.NotFound;
        context.setProperty(name, value);
        return Status.Ok;
      },
    ],
  };
}

function shared(vm: Vm, { shared, vmId }: HostState): Record<string, [string, Call]> {
  return {
    proxy_get_shared_data: [
      "iiiii>i",
      (key: number, keySize: number, pointerAt: number, sizeAt: number, casAt: number) => {
        const name = vm.memory.text(key, keySize);
        if (name === undefined) return Status.InvalidMemoryAccess;
        const found = shared.data(vmId).get(name);
        if (!found) return Status.NotFound;
        return stored(vm.give(found.value, pointerAt, sizeAt) && vm.memory.writeU32(casAt, found.cas));
      },
    ],
    proxy_set_shared_data: [
      "iiiii>i",
      (key: number, keySize: number, pointer: number, size: number, cas: number) => {
        const [name, value] = [vm.memory.text(key, keySize), vm.memory.read(pointer, size)];
        if (name === undefined || !value) return Status.InvalidMemoryAccess;
        return shared.set(vmId, name, value, cas >>> 0);
      },
    ],
    proxy_register_shared_queue: [
      "iii>i",
      (pointer: number, size: number, tokenAt: number) => {
        const name = vm.memory.text(pointer, size);
        if (name === undefined) return Status.InvalidMemoryAccess;
        return stored(vm.memory.writeU32(tokenAt, root(vm).registerQueue(name)));
      },
    ],
    proxy_resolve_shared_queue: [
      "iiiii>i",
      (id: number, idSize: number, pointer: number, size: number, tokenAt: number) => {
        const [of, name] = [vm.memory.text(id, idSize), vm.memory.text(pointer, size)];
        if (of === undefined || name === undefined) return Status.InvalidMemoryAccess;
        const token = shared.resolveQueue(of || vmId, name);
        return token === undefined ? Status.NotFound : stored(vm.memory.writeU32(tokenAt, token));
      },
    ],
    proxy_enqueue_shared_queue: [
      "iii>i",
      (token: number, pointer: number, size: number) => {
        const item = vm.memory.read(pointer, size);
        return item ? shared.enqueue(token >>> 0, item) : Status.InvalidMemoryAccess;
      },
    ],
    proxy_dequeue_shared_queue: [
      "iii>i",
      (token: number, pointerAt: number, sizeAt: number) => {
        const item = shared.dequeue(token >>> 0);
        return typeof item === "number" ? item : stored(vm.give(item, pointerAt, sizeAt));
      },
    ],
  };
}

function metrics(vm: Vm, { metrics }: HostState): Record<string, [string, Call]> {
  return {
    proxy_define_metric: [
      "iiii>i",
      (type: number, pointer: number, size: number, idAt: number) => {
        const name = vm.memory.text(pointer, size);
        if (name === undefined) return Status.InvalidMemoryAccess;
        const id = metrics.define(type >>> 0, name);
        return id === undefined ? Status.BadArgument : stored(vm.memory.writeU32(idAt, id));
      },
    ],
    proxy_increment_metric: ["iI>i", (id: number, offset: bigint) => metrics.increment(id, offset)],
    proxy_record_metric: ["iI>i", (id: number, value: bigint) => metrics.record(id, value)],
    proxy_get_metric: [
      "ii>i",
      (id: number, at: number) => {
        const value = metrics.get(id);
        return typeof value === "number" ? value : stored(vm.memory.writeU64(at, value));
      },
    ],
  };
}
