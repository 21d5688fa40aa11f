/** A Kubernetes API server for tests, with pods whose ports can be forwarded. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { onTestFinished } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";

/**
 * By `METHOD path`: text, an object (as JSON), a stream of text, or an `Answer`; `undefined` is 404, as is what is not
 * here. May be changed while the server runs.
 */
export type Answers = Record<string, (query: URLSearchParams, body: unknown) => unknown>;

/** An answer with a status other than 200. */
export class Answer {
  readonly status: number;
  readonly message: string;

  constructor(status: number, message: string) {
    this.status = status;
    this.message = message;
  }
}

export interface FakeCluster {
  /** Path of the kubeconfig file. */
  kubeconfig: string;
  /** `METHOD path` of each request, in order. */
  asked: string[];
  stop(): Promise<void>;
}

/**
 * Plain HTTP: the library takes it where the kubeconfig asks for no certificates.
 * @param ports what pods answer on their own loopback: by `pod:port path`; or by `pod:port` the real port that they have
 */
export async function fakeCluster(answers: Answers, ports: Record<string, () => unknown> = {}): Promise<FakeCluster> {
  const asked: string[] = [];
  const server = http.createServer(async (request, response) => {
    const body = await text(request);
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://localhost");
    const key = `${request.method} ${pathname}`;
    asked.push(key);
    const answer = answers[key]?.(searchParams, body && JSON.parse(body)) ?? new Answer(404, "not found");
    if (answer instanceof Readable) answer.pipe(response);
    else if (answer instanceof Answer) response.writeHead(answer.status).end(JSON.stringify(answer));
    else response.end(typeof answer === "string" ? answer : JSON.stringify(answer));
  });
  const sockets = new WebSocketServer({ server, handleProtocols: (protocols) => [...protocols][0] ?? false });
  sockets.on("connection", (socket, { url = "" }) => forwardPort(socket, url, ports));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = () => {
    server.closeAllConnections();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  };
  onTestFinished(stop);
  return { kubeconfig: kubeconfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`), asked, stop };
}

/** Streams 0 (data) and 1 (errors); the first message of each is the port: https://kubernetes.io/docs/reference/ */
function forwardPort(socket: WebSocket, url: string, ports: Record<string, () => unknown>): void {
  const [, pod, port] = /\/pods\/([^/]+)\/portforward\?ports=(\d+)/.exec(url) ?? [];
  const number = Buffer.alloc(2);
  number.writeUInt16LE(Number(port));
  for (const stream of [0, 1]) socket.send(Buffer.concat([Buffer.of(stream), number]));
  const real = ports[`${pod}:${port}`]?.();
  if (typeof real === "number") {
    joinPort(socket, real);
    return;
  }
  socket.on("message", (data: Buffer) => {
    const [, path = ""] = /^GET (\S+)/.exec(data.subarray(1).toString()) ?? [];
    const answer = ports[`${pod}:${port} ${path}`];
    if (!answer) return socket.send(Buffer.concat([Buffer.of(1), Buffer.from(`nothing listens at ${path}`)]));
    const given = answer();
    const body = given instanceof Answer ? given.message : JSON.stringify(given);
    const status = given instanceof Answer ? `${given.status} Error` : "200 OK";
    const head = `HTTP/1.1 ${status}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n`;
    return socket.send(Buffer.concat([Buffer.of(0), Buffer.from(head + body)]));
  });
}

function joinPort(socket: WebSocket, port: number): void {
  const tcp = net.connect(port, "127.0.0.1").on("error", () => socket.close());
  tcp.on("data", (data) => socket.send(Buffer.concat([Buffer.of(0), data])));
  tcp.on("end", () => socket.close());
  socket.on("message", (data: Buffer) => tcp.write(data.subarray(1)));
  socket.on("close", () => tcp.destroy());
}

export function kubeconfig(server: string): string {
  const directory = mkdtempSync(join(tmpdir(), "meshup-kube-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "kubeconfig");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "a", cluster: { server, "insecure-skip-tls-verify": true } }],
    users: [{ name: "a", user: {} }],
    contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
    "current-context": "a",
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
}
