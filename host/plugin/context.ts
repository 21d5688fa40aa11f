import type { Pairs, Status } from "../abi/abi.ts";
import type { HeaderMap } from "../abi/headers.ts";

/** Bytes that a host call reads, and may replace where they are a body in transit. */
export interface Bytes {
  bytes: Uint8Array;
  writable?: boolean;
}

export interface LocalResponse {
  status: number;
  headers: Pairs;
  body: Uint8Array;
  details: string;
}

/**
 * What a host call acts on: the VM's own context (id 0), a plugin's root context, or a stream's. Each answers for
 * what belongs to it; what a context does not have is `undefined`, as a null pointer in Envoy.
 */
export interface Context {
  readonly id: number;
  readonly root: RootContext | undefined;
  /** Top of a property path that only this context knows, e.g. `request`. */
  property(path: string[]): unknown;
  setProperty?(name: string, value: Uint8Array): void;
  headers(type: number): HeaderMap | undefined;
  /** False for maps that can be read only. */
  headersWritable(type: number): boolean;
  buffer(type: number): Bytes | undefined;
  /** In the access-log phase maps may be absent without that being a mistake. */
  readonly logging?: boolean;
  continueStream?(type: number): void;
  closeStream?(type: number): void;
  sendLocalResponse?(response: LocalResponse): void;
}

export interface HttpCallRequest {
  cluster: string;
  headers: Pairs;
  body: Uint8Array;
  trailers: Pairs;
  timeoutMs: number;
}

/** A context that lives as long as its VM: timers, calls and queues are its. */
export interface RootContext extends Context {
  /** Outcome of the last HTTP call, for `proxy_get_status`. */
  readonly callStatus: { code: number; message: string };
  setTickPeriod(milliseconds: number): void;
  /** A token, or why there is no call. */
  httpCall(call: HttpCallRequest): { token: number } | Status;
  registerQueue(name: string): number;
  /** True where the root context was waiting for `proxy_done`. */
  done(): boolean;
}
