import { once } from "node:events";
import { createServer, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { UserError } from "./errors.ts";
import { UnendedResponse } from "./http.ts";
import { http2Request } from "./http2.ts";

async function serve(answer: (stream: ServerHttp2Stream, socket: Socket) => void): Promise<string> {
  let socket: Socket;
  const server = createServer().on("connection", (one: Socket) => {
    socket = one;
  });
  server.on("stream", (stream) => {
    stream.on("error", () => {}); // what the tests break
    answer(stream, socket);
  });
  return listen(server);
}

async function listen(server: Server): Promise<string> {
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/get`;
}

const cancel = 8;

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  return Buffer.concat([Buffer.of(0, 0, payload.length, type, flags, 0, 0, 0, stream), payload]);
}
const beginning = [
  frame(4, 0, 0, Buffer.alloc(0)), // SETTINGS
  frame(1, 4, 1, Buffer.of(0x88)), // HEADERS, their end: `:status: 200`
  frame(0, 0, 1, Buffer.from("the beginning")), // DATA, not the last
];
const reset = frame(3, 0, 1, Buffer.of(0, 0, 0, cancel));

test("an answer is whole: with a body, with none, to a long upload", async () => {
  const url = await serve((stream) => {
    stream.respond({ ":status": 201, "x-a": "1" });
    stream.end("text");
  });
  expect(await http2Request({ url })).toMatchObject({ status: 201, headers: { "x-a": "1" }, body: "text" });
  const empty = await serve((stream) => stream.respond({ ":status": 204 }, { endStream: true }));
  expect(await http2Request({ url: empty })).toMatchObject({ status: 204, body: "" });
  expect(await http2Request({ url, method: "POST", body: "x".repeat(200_000) })).toMatchObject({ status: 201 });
});

test.each<[string, (stream: ServerHttp2Stream, socket: Socket) => void]>([
  ["resets with CANCEL", (stream) => stream.close(cancel)],
  ["destroys the session", (stream) => stream.session?.destroy()],
  ["ends the connection", (_, socket) => socket.end()],
  ["resets the connection", (_, socket) => socket.resetAndDestroy()],
])("is none where the server %s before the headers", async (_, end) => {
  await expect(http2Request({ url: await serve(end) })).rejects.toThrow();
});

test.each<[string, (socket: Socket) => void]>([
  ["resets with CANCEL", (socket) => socket.write(reset)],
  ["ends the connection", (socket) => socket.end()],
  ["resets the connection", (socket) => socket.resetAndDestroy()],
])("is none where the server %s in the body", async (_, end) => {
  const server = createTcp((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write(Buffer.concat(beginning), () => setTimeout(() => end(socket), 20)));
  });
  await expect(http2Request({ url: await listen(server) })).rejects.toThrow();
});

test("the error says so, and for which request", async () => {
  const url = await serve((stream) => stream.close(cancel));
  const broken = http2Request({ url });
  await expect(broken).rejects.toThrow(`GET ${url}: the connection was closed before the answer was complete`);
  await expect(broken).rejects.toThrow(UserError);
});

test("nor where the server closes each connection at once", async () => {
  await expect(http2Request({ url: await listen(createTcp((socket) => socket.end())) })).rejects.toThrow();
});

test("nor is a stream that does not end in time", async () => {
  const endless = await serve((stream) => {
    stream.respond({ ":status": 200 });
    stream.write("the beginning");
  });
  await expect(http2Request({ url: endless, timeoutMs: 200 })).rejects.toThrow(UnendedResponse);
  const silent = await serve(() => {});
  await expect(http2Request({ url: silent, timeoutMs: 200 })).rejects.toThrow("no answer within 200 ms");
});
