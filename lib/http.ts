import http from "node:http";
import { UserError } from "./errors.ts";

export interface HttpRequest {
  /** Absolute `http:` address. */
  url: string;
  /** Default: GET. */
  method?: string;
  /** Sent as they are; `host` replaces the address's own. */
  headers?: Record<string, string>;
  body?: string;
  /** Milliseconds until the whole exchange fails; default 10 000. */
  timeoutMs?: number;
  /** Default: a connection of its own, since an old one may still see what a draining listener had. */
  agent?: http.Agent;
}

export interface HttpResponse {
  status: number;
  /** Lower-case names; several values of one name are joined by `, `. */
  headers: Record<string, string>;
  body: string;
}

/** One HTTP exchange. `fetch` cannot send a Host header of the caller's choice, so this is node:http. */
export function httpRequest(request: HttpRequest): Promise<HttpResponse> {
  const { url, method = "GET", headers, body, timeoutMs = 10_000, agent = false } = request;
  return new Promise((resolve, reject) => {
    const req = http.request(url, { method, headers, agent, signal: AbortSignal.timeout(timeoutMs) }, (res) => {
      const chunks: Buffer[] = [];
      res.on("data", (chunk: Buffer) => chunks.push(chunk));
      res.on("error", reject);
      res.on("end", () => {
        const joined = Object.entries(res.headers).map(([name, value]) => [name, [value].flat().join(", ")]);
        resolve({
          status: res.statusCode ?? 0,
          headers: Object.fromEntries(joined),
          body: Buffer.concat(chunks).toString("utf8"),
        });
      });
    });
    req.on("error", (error) =>
      reject(
        error.name === "AbortError" || error.name === "TimeoutError"
          ? new UserError(`${method} ${url}: no answer within ${timeoutMs} ms`)
          : error,
      ),
    );
    req.end(body);
  });
}
