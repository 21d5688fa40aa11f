import http from "node:http";
import https from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { UserError } from "./errors.ts";
import { headerRecord, inHeaderBytes } from "./header-text.ts";

/**
 * For clients and servers: what a proxy lets through, they take. It is the most that Envoy can be set to take itself
 * (`max_request_headers_kb`, `max_response_headers_kb`); what it is set to is 60 KiB, and a filter may add to that.
 */
export const headerLimit = { maxHeaderSize: 8192 * 1024 };

export interface HttpRequest {
  /** Absolute `http:` or `https:` address. */
  url: string;
  /** Default: GET. */
  method?: string;
  /** What is not ASCII goes out as UTF-8; `host` replaces the address's own. */
  headers?: Record<string, string>;
  body?: string;
  /** Milliseconds until the whole exchange fails; default 10 000. */
  timeoutMs?: number;
  /** Default: a connection of its own, since an old one may still see what a draining listener had. */
  agent?: http.Agent;
  /** Calls it off: the exchange fails with the signal's reason. */
  signal?: AbortSignal;
  /** A connection that is there already, in place of one to the address. */
  connection?: Duplex;
  /** Of an `https:` address: the name to ask for, and the certificate authorities, in PEM; default: the system's. */
  tls?: { serverName?: string; authorities?: string };
}

export interface HttpResponse {
  status: number;
  /** Lower-case names; several values of one name are joined by `, `. Bytes are read as UTF-8, else as Latin-1. */
  headers: Record<string, string>;
  body: string;
}

/** A response began in time, and did not end in time: it may be a stream without an end. */
export class UnendedResponse extends UserError {}

/** One HTTP exchange. `fetch` cannot send a Host header of the caller's choice, so this is node:http. */
export function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const { url, method = "GET", headers = {}, body, timeoutMs = 10_000, agent = false, connection, tls = {} } = request;
  return new Promise((resolve, reject) => {
    let hasBegun = false;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = request.signal ? AbortSignal.any([timeout, request.signal]) : timeout;
    const { hostname, protocol } = new URL(url);
    const lookup = isLocalhost(hostname) ? toLoopback : undefined;
    const options = { method, headers: inHeaderBytes(headers), agent, signal, lookup, ...headerLimit };
    const own = connection && { createConnection: () => connection, agent: undefined };
    const module = protocol === "https:" ? https : http;
    const req = module.request(url, { ...options, ...own, ...tlsOptions(tls) }, (res) => {
      hasBegun = true;
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", fail);
      res.on("end", () => {
        resolve({
          status: res.statusCode ?? 0,
          headers: headerRecord(res.rawHeaders),
          body: Buffer.concat(chunks).toString("utf8"),
        });
      });
    });
    req.on("error", fail);
    req.maxHeadersCount = 0; // those beyond would be dropped without a word
    // As bytes: Node would send a text and the headers before it in one encoding.
    req.end(body ? Buffer.from(body) : undefined);

    function fail(error: Error): void {
      if (request.signal?.aborted) reject(request.signal.reason);
      else reject(timeout.aborted ? tooLate(request, timeoutMs, hasBegun) : error);
    }
  });
}

export function tooLate({ method = "GET", url }: HttpRequest, timeoutMs: number, hasBegun: boolean): UserError {
  if (!hasBegun) return new UserError(`${method} ${url}: no answer within ${timeoutMs} ms`);
  return new UnendedResponse(`${method} ${url}: the response has begun, and has not ended within ${timeoutMs} ms`);
}

/** As Node's TLS wants it: an address is never asked for, and the certificate has to have it all the same. */
export function tlsOptions({ serverName, authorities }: NonNullable<HttpRequest["tls"]>): ConnectionOptions {
  if (serverName === undefined) return { ca: authorities };
  return {
    ca: authorities,
    servername: isIP(serverName) ? "" : serverName,
    checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
  };
}

/** As RFC 6761 has it: the names below it, too. */
function isLocalhost(hostname: string): boolean {
  return /(^|\.)localhost\.?$/i.test(hostname);
}

/** Ours listen on 127.0.0.1: what this machine's resolver makes of `localhost` may be ::1 alone, or nothing. */
const toLoopback: LookupFunction = (_hostname, { all }, done) => {
  if (all) done(null, [{ address: "127.0.0.1", family: 4 }]);
  else done(null, "127.0.0.1", 4);
};
