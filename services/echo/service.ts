import { hostname } from "node:os";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { headerLists, headerText } from "../../lib/header-text.ts";
import type { Service } from "../run.ts";
import { type Handler, json, type Request, text } from "../server.ts";
import type { Settings } from "../settings.ts";
import { createMeter, formatMetrics } from "./meter.ts";
import { parseEchoOptions } from "./options.ts";

export interface EchoSettings {
  maxBodyBytes: number;
}

/** MAX_BODY_BYTES: what a request's body may have; default 1 MiB. */
export function readEchoSettings(settings: Settings): EchoSettings {
  return { maxBodyBytes: settings.integer("MAX_BODY_BYTES", { fallback: 1 << 20, min: 0, max: 1 << 28 }) };
}

/**
 * Answers any method and path with the request as JSON (`describeRequest`), and does what the query asks
 * (`parseEchoOptions`). `/healthz` and `/metrics` are its own and count as no request.
 */
export function createEcho({ maxBodyBytes }: EchoSettings): Service {
  const meter = createMeter(() => performance.now());
  const startTimeSeconds = Date.now() / 1000;

  const echo: Handler = async (request) => {
    const end = meter.begin();
    request.signal.addEventListener("abort", end, { once: true });
    const { status, delayMs, burnMs, headers } = parseEchoOptions(request.query);
    const body = await request.body(maxBodyBytes);
    await burn(burnMs, request.signal);
    if (delayMs > 0) await sleep(delayMs, undefined, { signal: request.signal });
    return json(status, describeRequest(request, body), headers);
  };

  return {
    routes: {
      "/healthz": { GET: () => text(200, "ok") },
      "/metrics": {
        GET: () =>
          text(200, formatMetrics(meter.read(), startTimeSeconds), {
            "content-type": "text/plain; version=0.0.4; charset=utf-8",
          }),
      },
      "*": { "*": echo },
    },
  };
}

/** Uses this much CPU time (not wall time), in slices, so that health checks and other requests are still answered. */
async function burn(ms: number, signal: AbortSignal): Promise<void> {
  for (let left = ms * 1000; left > 0 && !signal.aborted; ) {
    const sliceStart = process.cpuUsage();
    const slice = Math.min(left, 5000);
    let used = 0;
    while (used < slice) {
      const { user, system } = process.cpuUsage(sliceStart);
      used = user + system;
    }
    left -= used;
    await nextTurn();
  }
}

/** The answer's body. A name that came several times has a list of its values; `body` is base64 when it is not UTF-8. */
export function describeRequest({ method, path, query, raw }: Request, body: Buffer): Record<string, unknown> {
  const queryNames = [...new Set(query.keys())];
  return {
    method,
    path: headerText(path),
    query: Object.fromEntries(queryNames.map((name) => [name, oneOrMany(query.getAll(name))])),
    headers: Object.fromEntries(headerLists(raw.rawHeaders).map(([name, values]) => [name, oneOrMany(values)])),
    ...describeBody(body, raw.headers["content-type"]),
    host: raw.headers.host && headerText(raw.headers.host),
    httpVersion: raw.httpVersion,
    remoteAddress: raw.socket.remoteAddress,
    hostname: hostname(),
    pid: process.pid,
  };
}

function oneOrMany(values: string[]): string | string[] {
  return values.length === 1 ? (values[0] as string) : values;
}

/** `body`, with `bodyEncoding` for bytes, and `json` where the content type says JSON and it is. */
export function describeBody(body: Buffer, contentType = ""): Record<string, unknown> {
  let decoded: string;
  try {
    decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return { body: body.toString("base64"), bodyEncoding: "base64" };
  }
  if (!/^application\/([\w.+-]+\+)?json\s*(;|$)/i.test(contentType)) return { body: decoded };
  try {
    return { body: decoded, json: JSON.parse(decoded) };
  } catch {
    return { body: decoded };
  }
}
