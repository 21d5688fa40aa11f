import { proxy_http_call } from "@solo-io/proxy-runtime/assembly/imports";
import {
  BufferTypeValues,
  get_buffer_bytes,
  get_header_map_value,
  HeaderMapTypeValues,
  WasmResultValues,
} from "@solo-io/proxy-runtime/assembly/runtime";

/**
 * A GET request that goes out again and again: cluster and headers are encoded once.
 *
 * The SDK's own `httpCall` no longer compiles: the type of its callback is wrong under today's compiler.
 */
export class HttpGet {
  private cluster: ArrayBuffer;
  private headers: ArrayBuffer;
  /** Of the call under way. */
  private token: u32 = 0;
  private underWay: bool = false;

  constructor(
    cluster: string,
    authority: string,
    path: string,
    private timeoutMs: u32,
  ) {
    this.cluster = String.UTF8.encode(cluster);
    this.headers = headerPairs([":method", "GET", ":path", path, ":authority", authority]);
  }

  isUnderWay(): bool {
    return this.underWay;
  }

  /** False when the proxy does not take the call, which it does not for a cluster that it has not. */
  send(): bool {
    const result = proxy_http_call(
      changetype<usize>(this.cluster),
      this.cluster.byteLength,
      changetype<usize>(this.headers),
      this.headers.byteLength,
      0,
      0,
      0,
      0,
      this.timeoutMs,
      changetype<usize>(this) + offsetof<HttpGet>("token"),
    );
    this.underWay = result == WasmResultValues.Ok;
    return this.underWay;
  }

  /** Within `onHttpCallResponse`: the answer, or null when it is not the answer to this call. */
  response(token: u32, headers: u32, bodySize: u32): HttpAnswer | null {
    if (!this.underWay || token != this.token) return null;
    this.underWay = false;
    if (headers == 0) return new HttpAnswer("", "");
    const status = get_header_map_value(HeaderMapTypeValues.HttpCallResponseHeaders, String.UTF8.encode(":status"));
    const body =
      bodySize == 0 ? "" : String.UTF8.decode(get_buffer_bytes(BufferTypeValues.HttpCallResponseBody, 0, bodySize));
    return new HttpAnswer(String.UTF8.decode(status), body);
  }
}

export class HttpAnswer {
  constructor(
    /** "200", or "" when there was no answer in time. */
    readonly status: string,
    readonly body: string,
  ) {}
}

/** proxy-wasm's form of headers: how many, the lengths of each name and value, then each with a NUL after it. */
function headerPairs(namesAndValues: string[]): ArrayBuffer {
  let size = sizeof<u32>() * (1 + namesAndValues.length);
  for (let i = 0; i < namesAndValues.length; i++) size += String.UTF8.byteLength(namesAndValues[i], true);
  const result = new ArrayBuffer(<i32>size);
  let lengthAt = changetype<usize>(result);
  let textAt = lengthAt + sizeof<u32>() * (1 + namesAndValues.length);
  store<u32>(lengthAt, namesAndValues.length / 2);
  for (let i = 0; i < namesAndValues.length; i++) {
    const text = String.UTF8.encode(namesAndValues[i], true);
    lengthAt += sizeof<u32>();
    store<u32>(lengthAt, text.byteLength - 1);
    memory.copy(textAt, changetype<usize>(text), text.byteLength);
    textAt += text.byteLength;
  }
  return result;
}
