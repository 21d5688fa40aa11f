/** Streams that stay open beside the load. */
import http, { type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { UserError } from "../../lib/errors.ts";
import { heldPath } from "./configuration.ts";

/** An upstream that answers with headers at once and never gets to the end. */
export class SlowUpstream {
  readonly #server: Server;
  #open = 0;

  private constructor() {
    this.#server = http.createServer((_, response) => {
      this.#open++;
      response.on("close", () => this.#open--);
      response.writeHead(200).write("…");
    });
  }

  static async listen(): Promise<SlowUpstream> {
    const upstream = new SlowUpstream();
    await new Promise<void>((resolve) => upstream.#server.listen(0, "127.0.0.1", resolve));
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
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

/** So many connections at once fit into any listener's backlog. */
const batch = 64;

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
  const held: IncomingMessage[] = [];
  const release = async () => {
    for (const response of held) response.destroy();
    await upstreamHas(upstream, 0);
  };
  try {
    while (held.length < count) {
      const opening = Array.from({ length: Math.min(batch, count - held.length) }, () => openStream(port));
      held.push(...(await Promise.all(opening)));
    }
    for (const response of held) requireHeaders(response, headers);
    await upstreamHas(upstream, count);
  } catch (error) {
    for (const response of held) response.destroy();
    throw error;
  }
  return release;
}

function openStream(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, path: heldPath, agent: false }, (response) => {
      response.on("error", () => {}); // we end it before it has ended
      resolve(response);
    });
    request.on("error", reject);
  });
}

function requireHeaders(response: IncomingMessage, headers: Record<string, string>): void {
  if (response.statusCode !== 200) throw new UserError(`a held stream's response is ${response.statusCode}, not 200`);
  for (const [name, value] of Object.entries(headers))
    if (response.headers[name] !== value)
      throw new UserError(`a held stream's response has ${name}: ${response.headers[name] ?? "not"}, not ${value}`);
}

async function upstreamHas(upstream: SlowUpstream, count: number): Promise<void> {
  const end = performance.now() + 30_000;
  while (upstream.open !== count) {
    if (performance.now() > end)
      throw new Error(`${upstream.open} streams are open at the slow upstream, not ${count}`);
    await sleep(1);
  }
}
