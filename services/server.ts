import http from "node:http";
import net, { type AddressInfo, type Socket } from "node:net";
import { messageOf, UserError } from "../lib/errors.ts";
import { inHeaderBytes } from "../lib/header-text.ts";
import { headerLimit } from "../lib/http.ts";
import type { Log } from "./log.ts";

/**
 * What both services need of an HTTP server: routes, errors as JSON `{"error": reason}`, and a stop that lets open
 * requests finish.
 */

export interface Request {
  method: string;
  /** As it was sent, not decoded, without the query. */
  path: string;
  query: URLSearchParams;
  /** Decoded values of the route's `{name}` segments. */
  params: Record<string, string>;
  /** Reads the whole body. @throws HttpError 413 beyond `limit` bytes. */
  body(limit: number): Promise<Buffer>;
  /** Aborts when the exchange is over: answered, or cut off by either side. */
  signal: AbortSignal;
  raw: http.IncomingMessage;
}

export interface Reply {
  status: number;
  /** Lower-case names. What is not ASCII goes out as UTF-8. */
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

export type Handler = (request: Request) => Reply | Promise<Reply>;

/**
 * Path → method → handler; the first path that matches counts. A path is literal, has `{name}` segments, or is `*`: any,
 * so it comes last. The method `*` takes those that are not named; GET takes HEAD as well.
 */
export type Routes = Record<string, Record<string, Handler>>;

/** Thrown by a handler: answered with this status and reason. */
export class HttpError extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(status: number, reason: string, headers: Record<string, string> = {}) {
    super(reason);
    this.status = status;
    this.headers = headers;
  }
}

export function text(status: number, body: string, headers: Reply["headers"] = {}): Reply {
  return { status, headers: { "content-type": "text/plain; charset=utf-8", ...headers }, body };
}

export function json(status: number, value: unknown, headers: Reply["headers"] = {}): Reply {
  return { status, headers: { "content-type": "application/json", ...headers }, body: JSON.stringify(value) };
}

export interface Server {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
  port: number;
  /**
   * Takes no new connection, waits for open requests at most `graceMs`, then cuts them off.
   * Called again, it cuts them off after the shorter time. Resolves to the number of requests cut off.
   */
  stop(graceMs: number): Promise<number>;
}

/**
 * Listens; port 0 takes any free one.
 * @throws UserError when the address cannot be had, with the reason.
 */
export async function listen(options: { routes: Routes; host: string; port: number; log: Log }): Promise<Server> {
  const { routes, host, port, log } = options;
  const server = http.createServer(headerLimit);
  server.maxHeadersCount = 0; // those beyond would be dropped without a word
  // Longer than Envoy's default idle timeout (1 h): were we the first to close, a request already under way would be lost.
  server.keepAliveTimeout = 61 * 60 * 1000;

  const openRequests = new Map<Socket, number>();
  let stopping = false;
  const countRequest = (socket: Socket, change: number) => {
    const open = openRequests.get(socket);
    if (open === undefined) return; // already closed
    openRequests.set(socket, open + change);
    if (stopping && open + change === 0) socket.end();
  };
  server.on("connection", (socket: Socket) => {
    openRequests.set(socket, 0);
    socket.on("close", () => openRequests.delete(socket));
  });
  server.on("request", (req, res) => {
    const { socket } = req;
    const over = new AbortController();
    countRequest(socket, +1);
    res.on("close", () => {
      log("debug", "request", {
        method: req.method,
        url: req.url,
        status: res.headersSent ? res.statusCode : undefined,
      });
      over.abort();
      countRequest(socket, -1);
    });
    void answer(routes, req, over.signal, log).then((reply) => send(res, reply, stopping));
  });

  await bind(server, host, port);
  const { port: realPort } = server.address() as AddressInfo;
  const url = `http://${host.includes(":") ? `[${host}]` : host}:${realPort}`;

  let closed: Promise<void> | undefined;
  let cut = 0;
  const stop = async (graceMs: number) => {
    stopping = true;
    // Not http's own close: it destroys connections whose answer is still being sent, and waits for those on which
    // nothing was ever sent.
    closed ??= new Promise((resolve) => net.Server.prototype.close.call(server, () => resolve()));
    for (const [socket, open] of openRequests) if (open === 0) socket.destroy();
    const timer = setTimeout(() => {
      for (const open of openRequests.values()) cut += open;
      server.closeAllConnections();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    return cut;
  };
  return { url, port: realPort, stop };
}

function bind(server: http.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => {
      const reason = bindErrors[error.code ?? ""]?.(host, port);
      reject(reason ? new UserError(reason) : error);
    };
    server.once("error", onError);
    server.listen({ host, port }, () => {
      server.off("error", onError);
      resolve();
    });
  });
}

const bindErrors: Record<string, (host: string, port: number) => string> = {
  EADDRINUSE: (host, port) => `port ${port} on ${host} is in use by another process: stop that one, or set PORT`,
  EACCES: (host, port) => `port ${port} on ${host} may not be taken by this user: set PORT to one above 1023`,
  EADDRNOTAVAIL: (host) => `${host} is not an address of this machine: set HOST`,
  ENOTFOUND: (host) => `${host} is not a known host name: set HOST`,
};

/** Finds the handler and runs it; whatever it throws becomes a reply. */
async function answer(routes: Routes, raw: http.IncomingMessage, signal: AbortSignal, log: Log): Promise<Reply> {
  try {
    const method = raw.method ?? "GET";
    const { path, query } = splitTarget(raw.url ?? "/");
    const { handler, params } = findRoute(routes, method, path);
    return await handler({ method, path, query, params, signal, raw, body: (limit) => readBody(raw, limit) });
  } catch (error) {
    if (error instanceof HttpError) return json(error.status, { error: error.message }, error.headers);
    // Once the client has gone, its handler's waits fail: nobody is left to tell, and nothing is wrong.
    if (!signal.aborted && !raw.socket.destroyed) {
      const stack = error instanceof Error ? error.stack : undefined;
      log("error", `${raw.method} ${raw.url} failed: ${messageOf(error)}`, { stack });
    }
    return json(500, { error: "internal error; the service's log tells more" });
  }
}

/** Path and query of a request target. `URL` would take the path `//a/b` for a host, and refuse `//`. */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const local = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, ""); // absolute form, as sent to proxies
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  return { path: path || "/", query: new URLSearchParams(mark < 0 ? "" : local.slice(mark + 1)) };
}

/** @throws HttpError 404 with the known paths, 405 with `allow`, 400 for a `{name}` segment that cannot be decoded. */
export function findRoute(
  routes: Routes,
  method: string,
  path: string,
): { handler: Handler; params: Record<string, string> } {
  for (const [pattern, methods] of Object.entries(routes)) {
    const params = matchPath(pattern, path);
    if (!params) continue;
    const handler = methods[method] ?? (method === "HEAD" ? methods.GET : undefined) ?? methods["*"];
    if (handler) return { handler, params };
    const allow = Object.keys(methods).flatMap((known) => (known === "GET" ? ["GET", "HEAD"] : [known]));
    throw new HttpError(405, `${path} does not take ${method}`, { allow: allow.join(", ") });
  }
  throw new HttpError(404, `no such path: ${path}; there is ${Object.keys(routes).join(", ")}`);
}

function matchPath(pattern: string, path: string): Record<string, string> | undefined {
  if (pattern === "*") return {};
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? "";
    const name = /^\{(\w+)\}$/.exec(segment)?.[1];
    if (name === undefined ? segment !== value : value === "") return undefined;
    if (name !== undefined) params[name] = decodeSegment(value);
  }
  return params;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, `${segment} is not valid percent-encoding`);
  }
}

function readBody(req: http.IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const refuse = () => {
      // The rest is read and dropped: closing at once would reset the connection, and the client might never see why.
      req.removeAllListeners("data").resume();
      reject(new HttpError(413, `the body is larger than ${limit} bytes`));
    };
    if (Number(req.headers["content-length"]) > limit) return refuse();
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) refuse();
      else chunks.push(chunk);
    });
    req.on("end", () => resolve(Buffer.concat(chunks)));
    req.on("error", reject);
  });
}

/** RFC 9110 forbids these to carry content. */
const statusWithoutBody = new Set([204, 205, 304]);

function send(res: http.ServerResponse, reply: Reply, stopping: boolean): void {
  if (res.destroyed) return;
  const body = statusWithoutBody.has(reply.status) ? "" : (reply.body ?? "");
  for (const [name, value] of Object.entries(inHeaderBytes(reply.headers ?? {}))) res.setHeader(name, value);
  if (body.length > 0) res.setHeader("content-length", Buffer.byteLength(body));
  if (stopping) res.setHeader("connection", "close");
  // As bytes: Node would send a text and the headers before it in one encoding.
  res.writeHead(reply.status).end(typeof body === "string" && body ? Buffer.from(body) : body);
}
