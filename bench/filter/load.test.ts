import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { Load } from "./load.ts";

let server: Server | undefined;
let load: Load | undefined;
afterEach(async () => {
  load?.close();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined)));
});

const response = (headers: string, status = "200 OK") => `HTTP/1.1 ${status}\r\n${headers}content-length: 2\r\n\r\nok`;

/** @param answer to the request of this number on any connection, from 1 */
async function open(answer: (socket: Socket, n: number) => void, connections = 1, onLatency?: (ns: number) => void) {
  let n = 0;
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const _ of data.toString().match(/\r\n\r\n/g) ?? []) answer(socket, ++n);
    });
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  load = await Load.open({ port, connections, headers: ["x-bench: yes\r\n"], onLatency });
  return { load, requests: () => n };
}

const good = response("x-bench: yes\r\n");

it("sends just as many requests as it is told, over all its connections, again and again", async () => {
  const latencies: number[] = [];
  const { load, requests } = await open(
    (socket) => socket.write(good),
    3,
    (ns) => latencies.push(ns),
  );
  await load.run(100);
  expect(requests()).toBe(100);
  await load.run(1);
  expect(requests()).toBe(101);
  expect(latencies).toHaveLength(101);
  expect(Math.min(...latencies)).toBeGreaterThan(0);
});

it("puts a response together that comes in pieces", async () => {
  const { load } = await open((socket) => {
    socket.write(good.slice(0, 30));
    setTimeout(() => socket.write(good.slice(30)), 20);
  });
  await load.run(2);
});

it.each([
  ["is not 200", response("x-bench: yes\r\n", "503 Service Unavailable"), /not 200:\nHTTP\/1.1 503 Service/],
  ["lacks the header", response(""), /no header x-bench: yes:\nHTTP\/1.1 200 OK/],
  ["has another value", response("x-bench: yes, no\r\n"), /no header x-bench: yes/],
])("a response that %s ends it, be it the last", async (_what, bad, message) => {
  const { load } = await open((socket, n) => socket.write(n < 10 ? good : bad));
  const running = load.run(10);
  await expect(running).rejects.toThrow(UserError);
  await expect(running).rejects.toThrow(message);
});

it("a connection that is closed ends it", async () => {
  const { load } = await open((socket, n) => (n < 5 ? socket.write(good) : socket.destroy()));
  await expect(load.run(10)).rejects.toThrow(/closed a connection|ECONNRESET/);
});

it("a connection that is closed between two runs ends the second", async () => {
  const { load } = await open((socket, n) => socket.write(good, () => n === 3 && socket.destroy()));
  await load.run(3);
  await new Promise((resolve) => setTimeout(resolve, 50));
  await expect(load.run(1)).rejects.toThrow(/closed a connection|ECONNRESET/);
});

it("nobody there is an error", async () => {
  await expect(Load.open({ port: 1, connections: 1, headers: [] })).rejects.toThrow(/ECONNREFUSED/);
});
