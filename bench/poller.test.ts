import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { Poller } from "./poller.ts";

let server: Server | undefined;
afterEach(() => new Promise((resolve) => (server ? server.close(resolve) : resolve(undefined))));

/** Answers with the number of the request in `x-n`; the first ones with 503. */
async function serve(port = 0): Promise<string> {
  let n = 0;
  server = createServer((_, response) => {
    n++;
    response.writeHead(n < 3 ? 503 : 200, { "x-n": String(n) }).end();
  });
  await new Promise<void>((resolve) => server?.listen(port, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

it("tells when an answer was as wanted for the first time", async () => {
  const poller = new Poller(await serve(), ({ status }) => status === 200);
  const before = performance.now();
  const seen = await poller.seen;
  expect(seen).toBeGreaterThan(before);
  expect(seen).toBeLessThanOrEqual(performance.now());
});

it("outlasts a server that is not there yet", async () => {
  const url = await serve();
  await new Promise((resolve) => server?.close(resolve));
  const poller = new Poller(url, ({ headers }) => headers["x-n"] === "4");
  await serve(Number(new URL(url).port));
  expect(await poller.seen).toBeDefined();
});

it("asks once more when it is stopped", async () => {
  const url = await serve();
  let answers = 0;
  const poller: Poller = new Poller(url, () => {
    if (++answers === 1) poller.stop();
    return answers === 2;
  });
  expect(await poller.seen).toBeDefined();
});

it("has seen nothing when it is stopped", async () => {
  const poller = new Poller(await serve(), () => false);
  poller.stop();
  expect(await poller.seen).toBeUndefined();
});
