/** Streams that stay open beside the load; by HTTP/2, so that many are opened and closed quickly. */
import { once } from "node:events";
import http2, {
  type ClientHttp2Session,
  type Http2Server,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import type { AddressInfo } from "node:net";
import { UserError } from "../../lib/errors.ts";
import { holds } from "../../lib/poll.ts";
import { heldPath } from "./configuration.ts";

/** An upstream that answers with headers at once and never gets to the end. */
export class SlowUpstream {
  readonly #server: Http2Server;
  readonly #sessions = new Set<{ destroy(): void }>();
  #open = 0;

  private constructor() {
    this.#server = http2.createServer();
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("close", () => this.#sessions.delete(session));
    });
    this.#server.on("stream", (stream) => {
      this.#open++;
      stream.on("close", () => this.#open--);
      stream.on("error", () => {}); // reset by Envoy, which is how it ends
      stream.respond({ ":status": 200 });
    });
  }

  static async listen(): Promise<SlowUpstream> {
    const upstream = new SlowUpstream();
    upstream.#server.listen(0, "127.0.0.1");
    await once(upstream.#server, "listening");
    return upstream;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Exchanges under way: as many streams are open in Envoy. */
  get open(): number {
    return this.#open;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    await closed;
  }
}

/**
 * Opens `count` streams through the listener on `port`; each response must have `headers`, and has begun when this ends.
 * @returns what ends them, and waits until Envoy has let them go
 */
export async function holdStreams(
  upstream: SlowUpstream,
  port: number,
  count: number,
  headers: Record<string, string>,
): Promise<() => Promise<void>> {
  if (count === 0) return async () => {};
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {}); // its streams tell it as well
  try {
    const responses = await Promise.all(Array.from({ length: count }, () => openStream(session)));
    for (const response of responses) requireHeaders(response, headers);
    await upstreamHas(upstream, count);
  } catch (error) {
    session.destroy();
    throw error;
  }
  return async () => {
    session.destroy();
    await upstreamHas(upstream, 0);
  };
}

type ResponseHeaders = IncomingHttpHeaders & IncomingHttpStatusHeader;

/** @returns the response's headers */
function openStream(session: ClientHttp2Session): Promise<ResponseHeaders> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": heldPath });
    stream.on("response", resolve);
    stream.on("error", reject);
    stream.on("close", () => reject(new UserError("Envoy has closed a stream that is to be held.")));
  });
}

function requireHeaders(response: ResponseHeaders, headers: Record<string, string>): void {
  const status = response[":status"];
  if (status !== 200) throw new UserError(`A held stream's response is ${status}, not 200.`);
  for (const [name, value] of Object.entries(headers))
    if (response[name] !== value)
      throw new UserError(`A held stream's response has ${name}: ${response[name] ?? "(none)"}, not ${value}.`);
}

async function upstreamHas(upstream: SlowUpstream, count: number): Promise<void> {
  if (await holds(() => upstream.open === count, { timeoutMs: 30_000, everyMs: 1 })) return;
  throw new Error(`${upstream.open} streams are open at the slow upstream, not ${count}`);
}
