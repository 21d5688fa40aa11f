import { connect, type Socket } from "node:net";
import { UserError } from "../../lib/errors.ts";

export interface LoadOptions {
  /** On 127.0.0.1. */
  port: number;
  /** Each has one request under way. */
  connections: number;
  /** What every response must have, such as `x-bench: yes`; the end of a value may be left out. */
  headers: string[];
  /** Called with each response's latency, in nanoseconds. */
  onLatency?: (ns: number) => void;
}

const request = Buffer.from("GET / HTTP/1.1\r\nhost: bench\r\n\r\n");
const timeoutMs = 60_000;
const end = Buffer.from("\r\n\r\nok");

/**
 * Requests to Envoy over connections that stay open, a given number each time, as fast as they are answered. It is made
 * for this one answer, and lean: a general HTTP client in Node takes longer for a request than Envoy.
 */
export class Load {
  readonly #options: LoadOptions;
  readonly #headers: Buffer[];
  readonly #connections: Connection[] = [];
  #toSend = 0;
  #toCome = 0;
  #lost: Error | undefined;
  #done = () => {};
  #fail = (_: Error) => {};

  private constructor(options: LoadOptions) {
    this.#options = options;
    this.#headers = options.headers.map((text) => Buffer.from(`\r\n${text}`));
  }

  static async open(options: LoadOptions): Promise<Load> {
    const load = new Load(options);
    for (let i = 0; i < options.connections; i++) await load.#connect();
    return load;
  }

  /**
   * Sends `count` requests and waits for their responses.
   * @throws UserError when one does not come, or is not 200 with the headers that it must have
   */
  run(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#lost) return reject(this.#lost);
      [this.#toSend, this.#toCome] = [count, count];
      [this.#done, this.#fail] = [resolve, reject];
      for (const connection of this.#connections) this.#send(connection);
    });
  }

  close(): void {
    this.#fail = () => {};
    for (const { socket } of this.#connections) socket.destroy();
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port: this.#options.port, host: "127.0.0.1", noDelay: true }, resolve);
      const connection: Connection = { socket, sentAt: 0n, rest: undefined };
      const lose = (error: Error) => {
        this.#lost ??= error;
        reject(error);
        this.#fail(error);
      };
      socket.on("data", (chunk) => this.#receive(connection, chunk));
      socket.on("error", lose);
      socket.on("close", () => lose(new UserError("Envoy has closed a connection.")));
      socket.setTimeout(timeoutMs, () => {
        if (this.#toCome > 0) lose(new UserError(`Envoy has not answered within ${timeoutMs / 1000} s.`));
      });
      this.#connections.push(connection);
    });
  }

  #send(connection: Connection): void {
    if (this.#toSend === 0) return;
    this.#toSend--;
    if (this.#options.onLatency) connection.sentAt = process.hrtime.bigint();
    connection.socket.write(request);
  }

  #receive(connection: Connection, chunk: Buffer): void {
    const response = connection.rest ? Buffer.concat([connection.rest, chunk]) : chunk;
    const complete = response.subarray(-end.length).equals(end);
    connection.rest = complete ? undefined : response;
    if (!complete && response.length < 64 * 1024) return;
    const problem = this.#problemOf(response);
    if (problem) return this.#fail(new UserError(`${problem}:\n${response.toString("latin1").slice(0, 1000)}`));
    this.#options.onLatency?.(Number(process.hrtime.bigint() - connection.sentAt));
    this.#send(connection);
    if (--this.#toCome === 0) this.#done();
  }

  #problemOf(response: Buffer): string | undefined {
    if (response.toString("latin1", 0, 12) !== "HTTP/1.1 200") return "a response is not 200";
    const missing = this.#headers.find((header) => !response.includes(header));
    return missing && `a response has no header ${missing.toString().trim()}`;
  }
}

interface Connection {
  socket: Socket;
  sentAt: bigint;
  /** The beginning of a response that has not come whole. */
  rest: Buffer | undefined;
}
