import { BufferType, DataStatus, headersStatus, MapType, StreamType } from "../abi/abi.ts";
import { HeaderMap } from "../abi/headers.ts";
import type { Vm } from "../vm/vm.ts";
import type { Bytes, Context, LocalResponse } from "./context.ts";
import { type Arriving, type Callbacks, Direction } from "./direction.ts";
import {
  arrivingRequest,
  arrivingResponse,
  type SeenRequest,
  type SeenResponse,
  type StreamRequest,
  seenRequest,
  seenResponse,
  type UpstreamResponse,
} from "./message.ts";
import { Reach } from "./reach.ts";
import type { PluginRoot } from "./root.ts";

export interface StreamResult {
  /** `waiting`: the filter holds it back; move the clock. `reset`: the connection was broken off. */
  state: "complete" | "waiting" | "reset";
  /** What the upstream saw; undefined: the request never got there. */
  request?: SeenRequest;
  /** What the client saw. */
  response?: SeenResponse;
  /** The response is not the upstream's: the filter, or its failure, made it. */
  local: boolean;
}

/** The plugin that a stream goes through, as far as the stream knows it. */
interface StreamOwner {
  readonly failure: "open" | "close" | "reload";
  advance(milliseconds: number): void;
}

/** One request through the filter, and the response on its way back. */
export class Stream implements Context {
  readonly id: number;
  readonly root: PluginRoot;
  /** In the access-log phase. */
  logging = false;

  #plugin: StreamOwner;
  #vm: Vm;
  /** The VM was dead when the stream began and the policy lets it pass: the filter takes no part. */
  #bypass: boolean;
  #created = false;
  #ended = false;
  #reset = false;
  #local = false;
  #failureAnswered = false;
  #request: Direction | undefined;
  #response: Direction | undefined;
  #upstream: (request: SeenRequest) => UpstreamResponse = () => ({});
  #reach: Reach;
  #sent: { request?: HeaderMap; response?: HeaderMap } = {};

  /** @internal use `plugin.stream()` */
  constructor(plugin: StreamOwner, vm: Vm, root: PluginRoot) {
    this.#plugin = plugin;
    this.#vm = vm;
    this.root = root;
    this.#reach = new Reach(root);
    this.#bypass = vm.failed !== undefined && plugin.failure === "open";
    this.id = vm.newContextId();
    vm.contexts.set(this.id, this);
  }

  /**
   * Sends the request through the filter, and what the upstream answers back through it.
   * @param upstream the workload's response, or how it answers what it sees
   */
  exchange(
    request: StreamRequest = {},
    upstream: UpstreamResponse | ((request: SeenRequest) => UpstreamResponse) = {},
  ): StreamResult {
    if (this.#request) throw new Error("a stream carries one request");
    this.#upstream = typeof upstream === "function" ? upstream : () => upstream;
    const arriving = arrivingRequest(request);
    this.#sent.request = arriving.headers;
    this.#request = new Direction(arriving, this.#callbacks("request"), () => this.#answer());
    this.#request.pump();
    this.#plugin.advance(0);
    return this.result;
  }

  /** How far it has got. */
  get result(): StreamResult {
    const [request, response] = [this.#seen, this.#response && seenResponse(this.#response.forwarded)];
    return {
      state: this.#reset ? "reset" : this.#ended ? "complete" : "waiting",
      local: this.#local,
      ...(request && { request }),
      ...(response && { response }),
    };
  }

  /** How many bytes of the bodies have left the filter. */
  get bytes(): { request: number; response: number } {
    const count = (way: Direction | undefined) => way?.forwarded.body.length ?? 0;
    return { request: count(this.#request), response: count(this.#response) };
  }

  /** The client goes away, or the stream is over: the filter is told once. */
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#request?.abort();
    this.#response?.abort();
    this.#tellEnd();
    this.#vm.contexts.delete(this.id);
  }

  #tellEnd(): void {
    if (!this.#created) return;
    this.#reach.maps.clear();
    this.logging = true;
    const { request, response } = this.#sent;
    if (request) this.#reach.maps.set(MapType.RequestHeaders, request);
    if (response) this.#reach.maps.set(MapType.ResponseHeaders, response);
    const trailers = this.#response?.forwarded.trailers;
    if (trailers) this.#reach.maps.set(MapType.ResponseTrailers, trailers);
    this.#call("proxy_on_log");
    this.logging = false;
    this.#reach.maps.clear();
    this.#call("proxy_on_done");
    this.#call("proxy_on_delete");
  }

  #call(callback: string, ...args: number[]): number {
    return this.#vm.call(callback, this, this.id, ...args) ?? 0;
  }

  // The filter's callbacks

  #callbacks(way: "request" | "response"): Callbacks {
    const types =
      way === "request"
        ? { headers: MapType.RequestHeaders, trailers: MapType.RequestTrailers, body: BufferType.HttpRequestBody }
        : { headers: MapType.ResponseHeaders, trailers: MapType.ResponseTrailers, body: BufferType.HttpResponseBody };
    const onHeaders =
      this.#vm.abi === "0.1.0" ? (size: number) => [size] : (size: number, end: boolean) => [size, Number(end)];
    return {
      headers: (map, end) => {
        if (way === "request") this.#create();
        if (this.#takesNoPart) return "continue";
        this.#reach.atEnd = end;
        this.#reach.maps.set(types.headers, map);
        const result = this.#guarded(() => this.#call(`proxy_on_${way}_headers`, ...onHeaders(map.size, end)));
        const status =
          result === "open" ? "continue" : result === "closed" ? "stop" : headersStatus(result, this.#vm.stopped);
        if (status === "continue") this.#reach.maps.delete(types.headers);
        return status;
      },
      data: (bytes, end) => {
        if (this.#takesNoPart) return DataStatus.Continue;
        this.#reach.atEnd = end;
        this.#reach.bodies.set(types.body, bytes);
        const result = this.#guarded(() => this.#call(`proxy_on_${way}_body`, bytes.bytes.length, Number(end)));
        if (result === "open") return DataStatus.Continue;
        const none = DataStatus.StopIterationNoBuffer;
        const status = result === "closed" || this.#vm.stopped || result > none ? none : result;
        if (status === DataStatus.Continue) this.#reach.bodies.delete(types.body);
        return status;
      },
      trailers: (map) => {
        if (this.#takesNoPart) return "continue";
        this.#reach.maps.set(types.trailers, map);
        const result = this.#guarded(() => this.#call(`proxy_on_${way}_trailers`, map.size));
        const status = result === "open" || (result === 0 && !this.#vm.stopped) ? "continue" : "stop";
        if (status === "continue") this.#reach.maps.delete(types.trailers);
        return status;
      },
      addedTrailers: () => this.#reach.maps.get(types.trailers),
    };
  }

  get #takesNoPart(): boolean {
    return this.#bypass || this.#failureAnswered;
  }

  #create(): void {
    if (this.#created || this.#bypass || this.#vm.failed) return;
    this.#created = true;
    this.#call("proxy_on_context_create", this.root.id);
  }

  /** A callback's result; if the VM is dead or dies: what the failure policy makes of it. */
  #guarded(call: () => number): number | "open" | "closed" {
    const result = this.#vm.failed ? undefined : call();
    if (!this.#vm.failed && result !== undefined) return result;
    if (this.#plugin.failure === "open") return "open";
    if (!this.#failureAnswered) {
      this.#failureAnswered = true;
      this.#answerLocally({ status: 503, headers: [], body: new Uint8Array(), details: "wasm_fail_stream" });
    }
    return "closed";
  }

  // The other side of the filter

  #answer(): void {
    const request = this.#seen as SeenRequest;
    this.#startResponse(arrivingResponse(this.#upstream(request)));
  }

  #startResponse(arriving: Arriving): void {
    this.#sent.response = arriving.headers;
    this.#response = new Direction(arriving, this.#callbacks("response"), () => this.close());
    this.#response.pump();
  }

  /** The request as it has left the filter. */
  get #seen(): SeenRequest | undefined {
    return this.#request && seenRequest(this.#request.forwarded);
  }

  /**
   * Before there is a response, the filter sees the one it made, as in Envoy; after that it goes straight out, and
   * once headers have gone out, nothing can be said any more.
   */
  #answerLocally({ status, headers, body }: LocalResponse): void {
    if (this.#ended) return;
    this.#request?.abort();
    if (this.#response?.forwarded.headers) {
      this.#break();
      return;
    }
    const answered = this.#response !== undefined;
    this.#response?.abort();
    this.#local = true;
    const map = new HeaderMap([[":status", String(status)], ...headers]);
    if (body.length > 0) {
      map.set("content-length", String(body.length));
      if (map.get("content-type") === undefined) map.set("content-type", "text/plain");
    }
    const arriving = { headers: map, chunks: body.length > 0 ? [body] : [] };
    if (!answered) {
      this.#startResponse(arriving);
      return;
    }
    this.#sent.response = map;
    this.#response = new Direction(arriving, passing, () => this.close());
    this.#response.pump();
  }

  #break(): void {
    if (this.#ended) return;
    this.#reset = true;
    this.close();
  }

  // What host calls reach

  property(path: string[]): unknown {
    return this.#reach.property(path, this.#sent.response?.get(":status"));
  }

  setProperty(name: string, value: Uint8Array): void {
    this.#reach.setProperty(name, value);
  }

  headers(type: number): HeaderMap | undefined {
    return this.#reach.headers(type, this.headersWritable(type));
  }

  headersWritable(type: number): boolean {
    return type < MapType.GrpcReceiveInitialMetadata && !this.logging;
  }

  buffer(type: number): Bytes | undefined {
    return this.#reach.buffer(type);
  }

  continueStream(type: number): void {
    if (type > StreamType.Response) return;
    this.#vm.afterCall(() => (type === StreamType.Request ? this.#request : this.#response)?.resume());
    for (const map of [MapType.RequestHeaders, MapType.RequestTrailers]) this.#reach.maps.delete(map);
    this.#reach.bodies.delete(BufferType.HttpRequestBody);
  }

  closeStream(type: number): void {
    if (type <= StreamType.Response) this.#vm.afterCall(() => this.#break());
  }

  sendLocalResponse(response: LocalResponse): void {
    this.#vm.afterCall(() => this.#answerLocally(response));
  }
}

/** A filter that is no longer asked. */
const passing: Callbacks = {
  headers: () => "continue",
  data: () => DataStatus.Continue,
  trailers: () => "continue",
  addedTrailers: () => undefined,
};
