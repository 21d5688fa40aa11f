import type { Pairs } from "../abi/abi.ts";
import { HeaderMap } from "../abi/headers.ts";
import type { HttpCallRequest } from "../plugin/context.ts";

/** A call that the module makes to a cluster, as that cluster's server would see it. */
export interface ClusterRequest {
  cluster: string;
  method: string;
  path: string;
  authority: string;
  headers: Record<string, string>;
  body: string;
  timeoutMs: number;
}

export interface ClusterResponse {
  /** Default: 200. */
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  trailers?: Record<string, string>;
  /** Milliseconds of the test clock until it is there; default 0: once the host has nothing else to do. */
  delayMs?: number;
}

/**
 * What becomes of a call: an answer; `down`: nobody listens (Envoy answers 503 itself); `reset`: the connection
 * breaks (the module gets no response at all); `silent`: nothing until the timeout (504), for ever without one.
 */
export type ClusterAnswer = ClusterResponse | "down" | "reset" | "silent";

/** A cluster by what it answers, always or by request. */
export type Cluster = ClusterAnswer | ((request: ClusterRequest) => ClusterAnswer);

/** What the module is given; without a response: the call failed. */
export interface Delivery {
  delayMs: number;
  response?: { headers: HeaderMap; body: Uint8Array; trailers: HeaderMap };
}

/** What comes of a call and when; undefined: nothing, ever. */
export function answerCall(cluster: Cluster, call: HttpCallRequest): Delivery | undefined {
  const answer = typeof cluster === "function" ? cluster(requestOf(call)) : cluster;
  const timedOut = call.timeoutMs > 0 ? local(504, "upstream request timeout", call.timeoutMs) : undefined;
  if (answer === "silent") return timedOut;
  if (answer === "reset") return { delayMs: 0 };
  if (answer === "down") return local(503, connectionRefused, 0);
  if (timedOut && (answer.delayMs ?? 0) >= call.timeoutMs) return timedOut;
  const { status = 200, headers = {}, body = "", trailers = {}, delayMs = 0 } = answer;
  return {
    delayMs,
    response: {
      headers: new HeaderMap({ ":status": String(status), ...headers }),
      body: Buffer.from(body),
      trailers: new HeaderMap(trailers),
    },
  };
}

/** Envoy's own words for a refused connection. */
const connectionRefused =
  "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";

/** An answer that Envoy makes itself. */
function local(status: number, body: string, delayMs: number): Delivery {
  const headers = new HeaderMap({
    ":status": String(status),
    "content-length": String(body.length),
    "content-type": "text/plain",
  });
  return { delayMs, response: { headers, body: Buffer.from(body), trailers: new HeaderMap() } };
}

function requestOf({ cluster, headers, body, timeoutMs }: HttpCallRequest): ClusterRequest {
  const map = new HeaderMap(headers);
  return {
    cluster,
    method: map.get(":method") ?? "",
    path: map.get(":path") ?? "",
    authority: authorityOf(map) ?? "",
    headers: map.toRecord(),
    body: Buffer.from(body).toString("utf8"),
    timeoutMs,
  };
}

function authorityOf(headers: HeaderMap): string | undefined {
  return headers.get(":authority") ?? headers.get("host");
}

/** Envoy makes no call without method, path and authority. */
export function isCompleteCall(headers: Pairs): boolean {
  const map = new HeaderMap(headers);
  return Boolean(map.get(":method") !== undefined && map.get(":path") !== undefined && authorityOf(map) !== undefined);
}
