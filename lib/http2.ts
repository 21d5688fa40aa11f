import { connect, constants } from "node:http2";
import { UserError } from "./errors.ts";
import { headerRecord, inHeaderBytes } from "./header-text.ts";
import { type HttpRequest, type HttpResponse, tlsOptions, tooLate } from "./http.ts";

/** One exchange in HTTP/2, as `httpRequest` has it: for servers that speak nothing else. */
export function http2Request(request: Omit<HttpRequest, "agent" | "signal">): Promise<HttpResponse> {
  const { url, method = "GET", headers = {}, body, timeoutMs = 10_000, connection, tls = {} } = request;
  const { origin, pathname, search } = new URL(url);
  const { host, ...others } = headers;
  const session = connect(origin, { ...tlsOptions(tls), ...(connection && { createConnection: () => connection }) });
  return new Promise<HttpResponse>((resolve, reject) => {
    const response = { status: 0, headers: {} as Record<string, string> };
    const late = () => reject(tooLate(request, timeoutMs, response.status !== 0));
    const timer = setTimeout(late, timeoutMs);
    session.on("close", () => clearTimeout(timer)).on("error", reject);
    const pseudo = { ":method": method, ":path": pathname + search, ...(host && { ":authority": host }) };
    const stream = session.request({ ...pseudo, ...inHeaderBytes(others) });
    const chunks: Buffer[] = [];
    stream.on("response", (received, _flags, raw?: string[]) => {
      response.status = received[":status"] ?? 0;
      const pairs = raw ?? Object.entries(received).flatMap(([name, value]) => [name, String(value)]);
      response.headers = headerRecord(pairs.filter((_, i) => !pairs[i - (i % 2)]?.startsWith(":")));
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk)).on("error", reject);
    // `end` comes of a broken connection, too: only the stream's code tells whether the answer is whole.
    stream.on("close", () => {
      const isWhole = response.status !== 0 && stream.rstCode === constants.NGHTTP2_NO_ERROR;
      if (isWhole) resolve({ ...response, body: Buffer.concat(chunks).toString("utf8") });
      else reject(new UserError(`${method} ${url}: the connection was closed before the answer was complete`));
    });
    stream.end(body);
  }).finally(() => session.destroy());
}
