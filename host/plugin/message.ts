import type { Pairs } from "../abi/abi.ts";
import { HeaderMap } from "../abi/headers.ts";
import { readable } from "../abi/text.ts";
import type { Arriving, Forwarded } from "./direction.ts";

type Body = string | Uint8Array | (string | Uint8Array)[];

export interface StreamRequest {
  /** Default: GET. */
  method?: string;
  /** Default: `/`. */
  path?: string;
  /** Default: localhost. */
  authority?: string;
  headers?: Record<string, string> | Pairs;
  /** A list arrives chunk by chunk. */
  body?: Body;
  trailers?: Record<string, string>;
}

export interface UpstreamResponse {
  /** Default: 200. */
  status?: number;
  headers?: Record<string, string> | Pairs;
  body?: Body;
  trailers?: Record<string, string>;
}

/** A message that has left the filter. */
export interface SeenRequest {
  method: string;
  path: string;
  authority: string;
  headers: Record<string, string>;
  body: string;
  trailers: Record<string, string>;
}

export interface SeenResponse {
  status: number;
  headers: Record<string, string>;
  body: string;
  trailers: Record<string, string>;
}

export function arrivingRequest(request: StreamRequest): Arriving {
  const { method = "GET", path = "/", authority = "localhost", headers = [], body, trailers } = request;
  const map = new HeaderMap([
    [":authority", authority],
    [":path", path],
    [":method", method],
    [":scheme", "http"],
  ]);
  return arriving(map, headers, body, trailers);
}

export function arrivingResponse({ status = 200, headers = [], body, trailers }: UpstreamResponse): Arriving {
  return arriving(new HeaderMap([[":status", String(status)]]), headers, body, trailers);
}

function arriving(
  map: HeaderMap,
  headers: Record<string, string> | Pairs,
  body: Body | undefined,
  trailers: Record<string, string> | undefined,
): Arriving {
  for (const [name, value] of Array.isArray(headers) ? headers : Object.entries(headers)) map.add(name, value);
  const bytes = [body ?? []].flat().map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk));
  const chunks = bytes.filter((chunk) => chunk.length > 0);
  // That a body is over is seen after its last byte: Envoy's HTTP/1 codec tells of it with an empty chunk.
  if (chunks.length > 0 && !trailers) chunks.push(new Uint8Array());
  return {
    headers: map,
    chunks,
    ...(trailers && { trailers: new HeaderMap(trailers) }),
  };
}

/** The request as it has left the filter; undefined: it has not. */
export function seenRequest({ headers, body, trailers }: Forwarded): SeenRequest | undefined {
  if (!headers) return undefined;
  return {
    method: headers.get(":method") ?? "",
    path: readable(headers.get(":path") ?? ""),
    authority: readable(headers.get(":authority") ?? ""),
    headers: headers.toRecord(),
    body: Buffer.from(body).toString("utf8"),
    trailers: trailers?.toRecord() ?? {},
  };
}

/** The response as it has left the filter; undefined: it has not. */
export function seenResponse({ headers, body, trailers }: Forwarded): SeenResponse | undefined {
  if (!headers) return undefined;
  return {
    status: Number(headers.get(":status")),
    headers: headers.toRecord(),
    body: Buffer.from(body).toString("utf8"),
    trailers: trailers?.toRecord() ?? {},
  };
}
