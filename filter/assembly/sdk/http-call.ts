import { proxy_get_header_map_value, proxy_http_call } from "@solo-io/proxy-runtime/assembly/imports";
import { BufferType, HeaderMap, Status } from "./abi";
import { Headers } from "./header";
import { Line } from "./line";
import { bufferBytes, place, received } from "./memory";
import { copyOf, sizeOf, Text, textIn, utf8 } from "./text";

/**
 * A GET request that goes out again and again: cluster and headers are encoded once.
 *
 * The SDK's own `httpCall` no longer compiles: the type of its callback is wrong under today's compiler.
 */
export class HttpCall {
  private cluster: ArrayBuffer;
  private headers: Line;
  /** Of the call under way; the host writes it. */
  private token: u32 = NO_CALL;

  constructor(
    cluster: Text,
    authority: Text,
    path: Text,
    private timeoutMs: u32,
  ) {
    this.cluster = copyOf(cluster);
    const headers = new Headers().add(utf8(":method"), utf8("GET")).add(utf8(":path"), path);
    this.headers = headers.add(utf8(":authority"), authority).pairs();
  }

  isUnderWay(): bool {
    return this.token != NO_CALL;
  }

  /** False when the proxy does not take the call, which it does not for a cluster that it has not. */
  send(): bool {
    const cluster = textIn(this.cluster);
    const size = sizeOf(cluster);
    const headers = this.headers;
    const token = changetype<usize>(this) + offsetof<HttpCall>("token");
    const timeout = this.timeoutMs;
    return proxy_http_call(cluster, size, headers.start, headers.size, 0, 0, 0, 0, timeout, token) == Status.Ok;
  }

  /** Within `onHttpCallResponse`: whether it is the answer to this call, which is over then. */
  isAnsweredBy(token: u32): bool {
    if (token != this.token) return false;
    this.token = NO_CALL;
    return true;
  }
}

/** A token that hosts do not give: they count up from 0. */
const NO_CALL: u32 = -1;

/** Within `onHttpCallResponse`: "200", or empty when there was no answer in time. */
export function answerStatus(): ArrayBuffer {
  const name = utf8(":status");
  proxy_get_header_map_value(HeaderMap.HttpCallResponse, name, sizeOf(name), place, place + 4);
  return received();
}

/** Within `onHttpCallResponse`. */
export function answerBody(size: u32): ArrayBuffer {
  return bufferBytes(BufferType.HttpCallResponseBody, size);
}
