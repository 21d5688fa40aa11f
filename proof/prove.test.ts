import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { expect, onTestFinished, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { freePort } from "../test/ports.ts";
import type { Expectation } from "./expectation.ts";
import { nothingShown, type Provable, type ProveOptions, provenLine, prove as proveWith } from "./prove.ts";

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  onTestFinished(() => void server.closeAllConnections());
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/one`;
}

const inputs = (url: string, expect: Expectation, more: Partial<Provable & ProveOptions> = {}) => ({
  filter: "add-header",
  url,
  expect,
  timeoutMs: 300,
  ...more,
});

const prove = ({ timeoutMs, ...subject }: ReturnType<typeof inputs>, signal?: AbortSignal, secret?: Set<string>) =>
  proveWith(subject, { timeoutMs, signal, secret });

test("holds at once, with the headers it was told to send", async () => {
  const url = await serve((request, response) => {
    response.setHeader("x-custom", `for ${request.headers.host}`);
    response.end();
  });
  const proof = await prove(
    inputs(url, { "x-custom": "for www.example.com" }, { headers: { host: "www.example.com" }, timeoutMs: 20_000 }),
  );
  expect(proof).toMatchObject({ status: 200, seen: { "x-custom": "for www.example.com" } });
});

test("holds after a while", async () => {
  let requests = 0;
  const url = await serve((_, response) => {
    if (++requests >= 3) response.setHeader("x-custom", "value");
    response.end();
  });
  expect(await prove(inputs(url, { "x-custom": "value" }, { timeoutMs: 5000 }))).toMatchObject({ status: 200 });
  expect(requests).toBe(3);
});

test("never holds: what was sent, what came, what was expected", async () => {
  const url = await serve((_, response) => {
    response.statusCode = 404;
    response.setHeader("x-custom", "other");
    response.end("no such route");
  });
  const headers = { accept: "text/plain" };
  const error = await prove(inputs(url, { "x-custom": "value", "x-more": "/a/" }, { headers })).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toBe(
    [
      'filter "add-header" did not prove itself within 0.3 s',
      `  sent: GET ${url} with accept: text/plain`,
      "  status 404",
      "  x-custom is: other; expected: value",
      "  x-more is missing; expected: /a/",
      "  the body begins: no such route",
    ].join("\n"),
  );
});

test("nobody answers", async () => {
  const url = `http://127.0.0.1:${await freePort()}/`;
  await expect(prove(inputs(url, { a: "1" }))).rejects.toThrow(/no response: .*ECONNREFUSED/);
});

test("an answer that does not come", async () => {
  const url = await serve(() => {});
  await expect(prove(inputs(url, { a: "1" }))).rejects.toThrow(/no response: .*no answer within 300 ms/);
});

test("a regular expression that is none", async () => {
  await expect(prove(inputs("http://127.0.0.1:1/", { a: "/(/" }))).rejects.toThrow(/expected value of header a: .*\(/);
});

test("cancelled", async () => {
  const url = await serve((_, response) => void response.end());
  const cancel = new AbortController();
  setTimeout(() => cancel.abort(), 100);
  await expect(prove(inputs(url, { a: "1" }, { timeoutMs: 20_000 }), cancel.signal)).rejects.toThrow("cancelled");
});

test("the very request is sent: method, headers, body", async () => {
  const url = await serve(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const { "x-mine": mine, "user-agent": agent } = request.headers;
    response.end(`${request.method} ${mine} ${agent} ${Buffer.concat(chunks)}`);
  });
  const request = { method: "POST", headers: { "X-Mine": "1" }, body: "żółw", timeoutMs: 20_000 };
  const proven = await prove(inputs(url, { body: "POST 1 meshup żółw" }, request));
  expect(provenLine({ url, method: "POST" }, proven)).toBe(`POST ${url} → 200  the body is POST 1 meshup żółw`);
});

test.each<[string, Expectation, string]>([
  ["headers", { "x-a": "/^1/" }, "  x-a: 1"],
  ["a status", { status: 401 }, ""],
  ["no such header", { "x-none": false, "x-a": true }, "  no x-none  x-a: 1"],
  ["a part of the body", { body: "/key$/", status: 401 }, "  the body matches /key$/"],
  ["nothing", {}, `  ${nothingShown}`],
])("what was shown, in one line: %s", async (_what, expected, shown) => {
  const url = await serve((_, response) => response.writeHead(401, { "x-a": "1" }).end("no key"));
  expect(provenLine({ url }, await prove(inputs(url, expected, { timeoutMs: 20_000 })))).toBe(
    `GET ${url} → 401${shown}`,
  );
});

test("secrets are not told: neither what was sent, nor what came", async () => {
  const url = await serve((_, response) => response.writeHead(401, { "x-a": "hush" }).end("it was hush"));
  const request = { method: "POST", headers: { authorization: "hush" }, body: "hush" };
  const secret = new Set(["headers", "body", "expect"]);
  const { message } = await prove(inputs(url, { "x-a": "hush!", "x-b": "hush" }, request), undefined, secret).catch(
    (error) => error,
  );
  expect(message).toContain("authorization: [secret], the body [secret]");
  expect(message).toContain("x-a is another than expected");
  expect(message).not.toContain("hush");
  const { shows, seen } = await prove(
    inputs(url, { headers: { "x-a": "hush" }, body: "/hush/" }, { ...request, timeoutMs: 20_000 }),
    undefined,
    secret,
  );
  expect(JSON.stringify([shows, seen])).not.toContain("hush");
});
