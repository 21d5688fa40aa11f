import { type AbiVersion, BufferType, decodePairs, encodePairs, MapType, Status, StreamType } from "../abi/abi.ts";
import type { HeaderMap } from "../abi/headers.ts";
import { bytesOf } from "../abi/text.ts";
import type { Bytes } from "../plugin/context.ts";
import { type Call, root, stored, type Vm } from "../vm/vm.ts";

/** The host calls on messages: streams, headers, bodies, and calls to other clusters. */
export function httpCalls(vm: Vm, abi: AbiVersion): Record<string, [string, Call]>[] {
  return [streams(vm, abi), headers(vm, abi), buffers(vm), calls(vm, abi)];
}

function streams(vm: Vm, abi: AbiVersion): Record<string, [string, Call]> {
  const continueStream = (type: number) => {
    if (type === StreamType.Upstream) return Status.Unimplemented;
    if (type >>> 0 > StreamType.Upstream) return Status.BadArgument;
    vm.context.continueStream?.(type);
    return Status.Ok;
  };
  const sendLocalResponse = (...args: number[]) => {
    const [status, details, detailsSize, body, bodySize, pairs, pairsSize] = args as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const texts = [
      vm.memory.text(details, detailsSize),
      vm.memory.read(body, bodySize),
      vm.memory.read(pairs, pairsSize),
    ] as const;
    if (texts[0] === undefined || !texts[1] || !texts[2]) return Status.InvalidMemoryAccess;
    vm.context.sendLocalResponse?.({
      status: status >>> 0,
      details: texts[0],
      body: texts[1],
      headers: decodePairs(texts[2]),
    });
    vm.stopped = true;
    return Status.Ok;
  };
  const always: Record<string, [string, Call]> = { proxy_send_local_response: ["iiiiiiii>i", sendLocalResponse] };
  if (abi === "0.1.0") {
    return {
      ...always,
      proxy_continue_request: [">i", () => continueStream(StreamType.Request)],
      proxy_continue_response: [">i", () => continueStream(StreamType.Response)],
      proxy_clear_route_cache: [">i", () => Status.Ok],
    };
  }
  return {
    ...always,
    proxy_continue_stream: ["i>i", continueStream],
    proxy_close_stream: [
      "i>i",
      (type: number) => {
        if (type >>> 0 > StreamType.Upstream) return Status.BadArgument;
        vm.context.closeStream?.(type);
        return Status.Ok;
      },
    ],
  };
}

function headers(vm: Vm, abi: AbiVersion): Record<string, [string, Call]> {
  const known = (type: number) => type >>> 0 <= MapType.HttpCallResponseTrailers;
  const writable = (type: number) => (vm.context.headersWritable(type) ? vm.context.headers(type) : undefined);
  const change =
    (write: (type: number, name: string, value: string) => boolean) =>
    (type: number, name: number, nameSize: number, value: number, valueSize: number) => {
      if (!known(type)) return Status.BadArgument;
      const texts = [vm.memory.text(name, nameSize), vm.memory.text(value, valueSize)] as const;
      if (texts[0] === undefined || texts[1] === undefined) return Status.InvalidMemoryAccess;
      return write(type, texts[0], texts[1]) ? Status.Ok : Status.BadArgument;
    };
  /** Does it where the map is there; false where it is not. */
  const on = (type: number, act: (map: HeaderMap) => void) => {
    const map = writable(type);
    if (map) act(map);
    return map !== undefined;
  };
  return {
    proxy_add_header_map_value: ["iiiii>i", change((type, name, value) => on(type, (map) => map.add(name, value)))],
    proxy_replace_header_map_value: ["iiiii>i", change((type, name, value) => on(type, (map) => map.set(name, value)))],
    proxy_remove_header_map_value: [
      "iii>i",
      (type: number, pointer: number, size: number) => {
        if (!known(type)) return Status.BadArgument;
        const name = vm.memory.text(pointer, size);
        if (name === undefined) return Status.InvalidMemoryAccess;
        return on(type, (map) => map.remove(name)) ? Status.Ok : Status.BadArgument;
      },
    ],
    proxy_get_header_map_value: [
      "iiiii>i",
      (type: number, pointer: number, size: number, pointerAt: number, sizeAt: number) => {
        if (!known(type)) return Status.BadArgument;
        const name = vm.memory.text(pointer, size);
        if (name === undefined) return Status.InvalidMemoryAccess;
        const map = vm.context.headers(type);
        if (!map && !vm.context.logging) return Status.BadArgument;
        const value = map?.get(name) ?? (abi === "0.1.0" ? "" : undefined);
        if (value === undefined) return Status.NotFound;
        return stored(vm.give(bytesOf(value), pointerAt, sizeAt));
      },
    ],
    proxy_get_header_map_pairs: [
      "iii>i",
      (type: number, pointerAt: number, sizeAt: number) => {
        if (!known(type)) return Status.BadArgument;
        const pairs = vm.context.headers(type)?.pairs ?? [];
        return stored(vm.give(pairs.length ? encodePairs(pairs) : new Uint8Array(), pointerAt, sizeAt));
      },
    ],
    proxy_set_header_map_pairs: [
      "iii>i",
      (type: number, pointer: number, size: number) => {
        if (!known(type)) return Status.BadArgument;
        const bytes = vm.memory.view(pointer, size);
        if (!bytes) return Status.InvalidMemoryAccess;
        return on(type, (map) => map.replaceAll(decodePairs(bytes))) ? Status.Ok : Status.BadArgument;
      },
    ],
    proxy_get_header_map_size: [
      "ii>i",
      (type: number, at: number) => {
        const map = known(type) ? writable(type) : undefined;
        return map ? stored(vm.memory.writeU32(at, map.byteSize)) : Status.BadArgument;
      },
    ],
  };
}

function buffers(vm: Vm): Record<string, [string, Call]> {
  const found = (type: number): Bytes | Status => {
    if (type >>> 0 > BufferType.CallData) return Status.BadArgument;
    return vm.context.buffer(type) ?? Status.NotFound;
  };
  return {
    proxy_get_buffer_bytes: [
      "iiiii>i",
      (type: number, start: number, length: number, pointerAt: number, sizeAt: number) => {
        const buffer = found(type);
        if (typeof buffer === "number") return buffer;
        const from = start >>> 0;
        return stored(vm.give(buffer.bytes.slice(from, from + (length >>> 0)), pointerAt, sizeAt));
      },
    ],
    proxy_get_buffer_status: [
      "iii>i",
      (type: number, lengthAt: number, flagsAt: number) => {
        const buffer = found(type);
        if (typeof buffer === "number") return buffer;
        return stored(vm.memory.writeU32(lengthAt, buffer.bytes.length) && vm.memory.writeU32(flagsAt, 0));
      },
    ],
    proxy_set_buffer_bytes: [
      "iiiii>i",
      (type: number, start: number, length: number, pointer: number, size: number) => {
        const buffer = found(type);
        if (typeof buffer === "number") return buffer;
        const data = vm.memory.read(pointer, size);
        if (!data) return Status.InvalidMemoryAccess;
        const [from, removed, total] = [start >>> 0, length >>> 0, buffer.bytes.length];
        // Envoy can put before, put after, and replace the whole; nothing else.
        const keepsAll = (from === 0 && removed === 0) || (from > 0 && from >= total);
        if (!buffer.writable || (!keepsAll && !(from === 0 && removed >= total))) return Status.BadArgument;
        buffer.bytes = Buffer.concat(from > 0 ? [buffer.bytes, data] : keepsAll ? [data, buffer.bytes] : [data]);
        return Status.Ok;
      },
    ],
  };
}

function calls(vm: Vm, abi: AbiVersion): Record<string, [string, Call]> {
  const unimplemented = () => Status.Unimplemented;
  return {
    proxy_http_call: [
      "iiiiiiiiii>i",
      (...args: number[]) => {
        const at = (i: number) => vm.memory.read(args[i] as number, args[i + 1] as number);
        const [cluster, pairs, body, trailers] = [at(0), at(2), at(4), at(6)];
        const tokenAt = args[9] as number;
        if (!cluster || !pairs || !body || !trailers || !vm.memory.writeU32(tokenAt, 0))
          return Status.InvalidMemoryAccess;
        const timeoutMs = args[8] as number;
        const name = Buffer.from(cluster).toString("utf8");
        const outcome = root(vm).httpCall({
          cluster: name,
          headers: decodePairs(pairs),
          body,
          trailers: decodePairs(trailers),
          timeoutMs,
        });
        if (typeof outcome === "number") return outcome;
        vm.memory.writeU32(tokenAt, outcome.token);
        return Status.Ok;
      },
    ],
    // gRPC is not in this host: a filter that needs it can be tried in the proxy only.
    proxy_grpc_call: ["iiiiiiiiiiii>i", unimplemented],
    proxy_grpc_stream: ["iiiiiiiii>i", unimplemented],
    proxy_grpc_send: ["iiii>i", unimplemented],
    proxy_grpc_cancel: ["i>i", unimplemented],
    proxy_grpc_close: ["i>i", unimplemented],
    ...(abi === "0.1.0" && {
      proxy_get_configuration: [
        "ii>i",
        (pointerAt: number, sizeAt: number) => {
          const { context } = vm;
          const buffer = context.buffer(BufferType.PluginConfiguration) ?? context.buffer(BufferType.VmConfiguration);
          return stored(vm.give(buffer?.bytes ?? new Uint8Array(), pointerAt, sizeAt));
        },
      ],
    }),
  };
}
