import { bytesOf, textOf } from "./text.ts";

/**
 * The proxy-wasm ABI's numbers and wire format, versions 0.1.0, 0.2.0 and 0.2.1.
 * Source: the proxy-wasm specification and proxy-wasm-cpp-host, which Envoy embeds.
 */

/** What a host call returns (`WasmResult`). */
export const Status = {
  Ok: 0,
  NotFound: 1,
  BadArgument: 2,
  SerializationFailure: 3,
  ParseFailure: 4,
  BadExpression: 5,
  InvalidMemoryAccess: 6,
  Empty: 7,
  CasMismatch: 8,
  ResultMismatch: 9,
  InternalFailure: 10,
  BrokenConnection: 11,
  Unimplemented: 12,
} as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Level of a log line, by the number that `proxy_log` takes. */
export const logLevels = ["trace", "debug", "info", "warn", "error", "critical"] as const;
export type LogLevel = (typeof logLevels)[number];

export const MapType = {
  RequestHeaders: 0,
  RequestTrailers: 1,
  ResponseHeaders: 2,
  ResponseTrailers: 3,
  GrpcReceiveInitialMetadata: 4,
  GrpcReceiveTrailingMetadata: 5,
  HttpCallResponseHeaders: 6,
  HttpCallResponseTrailers: 7,
} as const;

export const BufferType = {
  HttpRequestBody: 0,
  HttpResponseBody: 1,
  NetworkDownstreamData: 2,
  NetworkUpstreamData: 3,
  HttpCallResponseBody: 4,
  GrpcReceiveBuffer: 5,
  VmConfiguration: 6,
  PluginConfiguration: 7,
  CallData: 8,
} as const;

export const StreamType = { Request: 0, Response: 1, Downstream: 2, Upstream: 3 } as const;

/** What a headers callback returns; 1 is treated as 4 (see `headersStatus`). */
export const HeadersStatus = {
  Continue: 0,
  StopIteration: 1,
  ContinueAndEndStream: 2,
  StopAllIterationAndBuffer: 3,
  StopAllIterationAndWatermark: 4,
} as const;

/** What a body callback returns. */
export const DataStatus = {
  Continue: 0,
  StopIterationAndBuffer: 1,
  StopIterationAndWatermark: 2,
  StopIterationNoBuffer: 3,
} as const;

export const MetricType = { Counter: 0, Gauge: 1, Histogram: 2 } as const;

export type AbiVersion = "0.1.0" | "0.2.0" | "0.2.1";

/** The export that says which ABI a module speaks; Envoy takes the first in the export section. */
export const abiVersionExports: Readonly<Record<string, AbiVersion>> = {
  proxy_abi_version_0_1_0: "0.1.0",
  proxy_abi_version_0_2_0: "0.2.0",
  proxy_abi_version_0_2_1: "0.2.1",
};

/**
 * Callbacks that the host calls, with the signature it wants: a letter for each parameter, `>`, the result
 * (`i`: i32). The two headers callbacks have no `end_of_stream` in 0.1.0.
 */
export function callbackSignatures(abi: AbiVersion): Readonly<Record<string, string>> {
  const headers = abi === "0.1.0" ? "ii>i" : "iii>i";
  return {
    _initialize: ">",
    _start: ">",
    main: "ii>i",
    __main_void: ">i",
    malloc: "i>i",
    proxy_on_memory_allocate: "i>i",
    proxy_validate_configuration: "ii>i",
    proxy_on_context_create: "ii>",
    proxy_on_vm_start: "ii>i",
    proxy_on_configure: "ii>i",
    proxy_on_tick: "i>",
    proxy_on_queue_ready: "ii>",
    proxy_on_http_call_response: "iiiii>",
    proxy_on_request_headers: headers,
    proxy_on_request_body: "iii>i",
    proxy_on_request_trailers: "ii>i",
    proxy_on_response_headers: headers,
    proxy_on_response_body: "iii>i",
    proxy_on_response_trailers: "ii>i",
    proxy_on_done: "i>i",
    proxy_on_log: "i>",
    proxy_on_delete: "i>",
  };
}

export type Pairs = [name: string, value: string][];

const maxPairsBytes = 1024 * 1024;
const maxPairs = 1024;

/** Header pairs as the module reads them: count, all lengths (u32, little endian), then each text with a NUL. */
export function encodePairs(pairs: Pairs): Uint8Array {
  const texts = pairs.flat().map(bytesOf);
  const size = texts.reduce((sum, text) => sum + text.length + 1, 4 + 4 * texts.length);
  const out = Buffer.alloc(size);
  let at = out.writeUInt32LE(pairs.length, 0);
  for (const text of texts) at = out.writeUInt32LE(text.length, at);
  for (const text of texts) {
    out.set(text, at);
    at += text.length + 1; // the NUL is there already
  }
  return out;
}

/** Header pairs as the module writes them. Anything that is not exactly the format gives no pairs, as in Envoy. */
export function decodePairs(bytes: Uint8Array): Pairs {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (data.length < 4 || data.length > maxPairsBytes) return [];
  const count = data.readUInt32LE(0);
  if (count > maxPairs || data.length < 4 + 8 * count) return [];
  const texts: string[] = [];
  let at = 4 + 8 * count;
  for (let i = 0; i < 2 * count; i++) {
    const end = at + data.readUInt32LE(4 + 4 * i);
    if (end >= data.length || data[end] !== 0) return [];
    texts.push(textOf(data.subarray(at, end)));
    at = end + 1;
  }
  if (at !== data.length) return [];
  return Array.from({ length: count }, (_, i) => [texts[2 * i] as string, texts[2 * i + 1] as string]);
}

/** A headers callback's result as Envoy takes it: stopping the headers alone would stop everything. */
export function headersStatus(result: number, stopped: boolean): "continue" | "stop" {
  if (stopped || result > HeadersStatus.StopAllIterationAndWatermark) return "stop";
  return result === HeadersStatus.Continue || result === HeadersStatus.ContinueAndEndStream ? "continue" : "stop";
}
