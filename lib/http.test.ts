import dns from "node:dns";
import { once } from "node:events";
import { Agent } from "node:http";
import { createServer, type Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { httpRequest, UnendedResponse } from "./http.ts";

/** A server that gives these bytes to whoever asks. @returns its address, and what it was sent */
async function serve(response: string): Promise<{ url: string; asked: () => Buffer }> {
  const chunks: Buffer[] = [];
  const server = createServer((socket: Socket) => {
    socket.on("error", () => {});
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (Buffer.concat(chunks).includes("\r\n\r\n")) socket.end(Buffer.from(response, "latin1"));
    });
  }).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/`, asked: () => Buffer.concat(chunks) };
}

const answer = (headers: string[]) => `HTTP/1.1 200 OK\r\n${headers.join("\r\n")}\r\ncontent-length: 2\r\n\r\nok`;

test("headers beyond ASCII: UTF-8 is sent, and read, and Latin-1 read as well", async () => {
  const { url, asked } = await serve(answer(["x-utf: Gr\u00c3\u00bc\u00c3\u009fe", "x-latin: Gr\u00fc\u00dfe"]));
  const { headers } = await httpRequest({ url, method: "POST", headers: { "x-mine": "żółw" }, body: "żółw" });
  expect(headers).toMatchObject({ "x-utf": "Grüße", "x-latin": "Grüße" });
  expect(asked().toString("utf8")).toContain("x-mine: żółw\r\n");
  expect(asked().toString("utf8")).toMatch(/\r\n\r\nżółw$/);
});

test.each(["age", "server", "set-cookie", "x-other"])("several values of %s are all there", async (name) => {
  const { url } = await serve(answer([`${name}: 1`, `${name}: 2`]));
  expect((await httpRequest({ url })).headers[name]).toBe("1, 2");
});

test.each([
  ["a header of 20,000 bytes", ["x-long: ".padEnd(20_000, "v")]],
  ["headers of a megabyte", Array.from({ length: 50 }, (_, i) => `x-${i}: `.padEnd(20_000, "v"))],
  ["3000 headers", Array.from({ length: 3000 }, (_, i) => `x-${i}: v`)],
])("a response may have %s", async (_what, given) => {
  const { url } = await serve(answer(given));
  const { headers } = await httpRequest({ url });
  expect(Object.keys(headers)).toHaveLength(given.length + 1);
  expect(Object.values(headers).join("").length).toBeGreaterThanOrEqual(given.join("").length - 8 * given.length);
});

test.each(["localhost", "LOCALHOST", "one.localhost"])("%s is 127.0.0.1, whatever the resolver says", async (name) => {
  const { url, asked } = await serve(answer(["x-a: 1"]));
  const lookup = vi.spyOn(dns, "lookup").mockImplementation((() => {
    throw new Error("the resolver was asked");
  }) as never);
  onTestFinished(() => lookup.mockRestore());
  const { port } = new URL(url);
  for (const agent of [undefined, new Agent({ keepAlive: true })]) {
    expect((await httpRequest({ url: `http://${name}:${port}/`, agent })).headers["x-a"]).toBe("1");
    expect(asked().toString()).toContain(`: ${name.toLowerCase()}:${port}\r\n`);
  }
  await httpRequest({ url: `http://${name}:${port}/`, headers: { host: "www.example.com" } });
  expect(asked().toString()).toContain("host: www.example.com\r\n");
});

test("too late is told apart: no answer at all, and one that does not end", async () => {
  const serveAnd = async (begin: (socket: Socket) => void): Promise<string> => {
    const server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => begin(socket));
    }).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
  };
  const silent = await serveAnd(() => {});
  await expect(httpRequest({ url: silent, timeoutMs: 100 })).rejects.toThrow(`GET ${silent}: no answer within 100 ms`);
  const endless = await serveAnd((socket) => socket.write("HTTP/1.1 200 OK\r\n\r\nthe beginning"));
  const late = httpRequest({ url: endless, timeoutMs: 100 });
  await expect(late).rejects.toThrow(`GET ${endless}: the response has begun, and has not ended within 100 ms`);
  await expect(late).rejects.toThrow(UnendedResponse);
});
