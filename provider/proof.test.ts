import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { Answer, type Answers, fakeCluster } from "../kube/testing/kubernetes.ts";
import { UserError } from "../lib/errors.ts";
import { compare, prove } from "../proof/prove.ts";
import { freePort } from "../test/ports.ts";
import { proofType } from "./proof.ts";
import type { ProofInputs } from "./types.ts";

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  onTestFinished(() => void server.closeAllConnections());
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/one`;
}

const inputs = (url: string, expected: Record<string, string>, more: Partial<ProofInputs> = {}): ProofInputs => ({
  filter: "add-header",
  url,
  expect: expected,
  digest: "d",
  timeoutMs: 300,
  ...more,
});

test("compare: exact values and regular expressions, names in any case", () => {
  const headers = { "x-custom": "FOO", "x-load": "current-load=12", more: "1" };
  expect(compare({ "X-Custom": "FOO", "x-load": "/^current-load=\\d+$/" }, { status: 404, headers })).toEqual({
    holds: true,
    seen: { "X-Custom": "FOO", "x-load": "current-load=12" },
    problems: [],
  });
});

test.each([
  ["missing", { absent: "1" }, "absent is missing; expected: 1"],
  ["other", { "x-custom": "BAR" }, "x-custom is: FOO; expected: BAR"],
  ["part of it only", { "x-custom": "FO" }, "x-custom is: FOO; expected: FO"],
  ["no match", { "x-custom": "/^B/" }, "x-custom is: FOO; expected: /^B/"],
])("compare: %s", (_, expected, problem) => {
  const comparison = compare(expected as unknown as Record<string, string>, {
    status: 200,
    headers: { "x-custom": "FOO" },
  });
  expect(comparison).toMatchObject({ holds: false, problems: [problem] });
});

test("compare: a failure of the server is no proof", () => {
  expect(compare({ a: "1" }, { status: 503, headers: { a: "1" } }).holds).toBe(false);
});

test("compare: every problem at once", () => {
  expect(compare({ a: "1", b: "2" }, { status: 200, headers: {} }).problems).toHaveLength(2);
});

test("holds at once, with the headers it was told to send", async () => {
  const url = await serve((request, response) => {
    response.setHeader("x-custom", `for ${request.headers.host}`);
    response.end();
  });
  const proof = await prove(
    inputs(url, { "x-custom": "for www.example.com" }, { headers: { host: "www.example.com" } }),
  );
  expect(proof).toEqual({ status: 200, seen: { "x-custom": "for www.example.com" } });
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
  const proof = prove(inputs(url, { "x-custom": "value", "x-more": "/a/" }, { headers: { accept: "text/plain" } }));
  await expect(proof).rejects.toThrow(UserError);
  expect((await proof.catch((error) => error)).message).toBe(
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

describe("a proof that fails in a cluster", () => {
  const line = (time: string, text: string) => `[${time}][1][error][wasm] [source/a.cc:1] ${text}\n`;
  const podsPath = "GET /api/v1/namespaces/envoy-gateway-system/pods";
  const logPath = "GET /api/v1/namespaces/envoy-gateway-system/pods/envoy-1/log";
  const metadata = { name: "envoy-1", namespace: "envoy-gateway-system" };
  const [old, late] = [line("2026-01-01", "Function: _start failed"), line("2026-01-02", "unreachable")];

  async function failure(answers: Answers): Promise<string> {
    const url = await serve((_, response) => response.writeHead(503).end());
    const { kubeconfig } = await fakeCluster(answers);
    const cluster = { kubeconfig, mesh: "envoy-gateway" };
    const context = { signal: new AbortController().signal, env: {} };
    return proofType.create(inputs(url, {}, { cluster }), context).then(String, (error) => error.message);
  }

  test("has the proxy's own lines since it was begun", async () => {
    const log = (query: URLSearchParams) => (query.has("sinceTime") ? late : old + late);
    const text = await failure({ [podsPath]: () => ({ items: [{ metadata }] }), [logPath]: log });
    expect(text).toMatch(/status 503[\s\S]*\n {2}the proxy's log:\n {4}\[error\]\[wasm\] unreachable$/);
    expect(text).not.toContain("_start");
  });

  test("or those from before, as such", async () => {
    const log = (query: URLSearchParams) => (query.has("sinceTime") ? "" : old);
    const text = await failure({ [podsPath]: () => ({ items: [{ metadata }] }), [logPath]: log });
    expect(text).toMatch(/the proxy's log, from before the request:\n {4}\[error\]\[wasm\] Function: _start failed$/);
  });

  test("and tells the rest where there are none, or they cannot be had", async () => {
    const silent = await failure({
      [podsPath]: () => ({ items: [{ metadata }] }),
      [logPath]: () => "[info] all well\n",
    });
    expect(silent).toMatch(/status 503/);
    expect(silent).not.toContain("log");
    const refused = await failure({ [podsPath]: () => new Answer(403, "pods is forbidden") });
    expect(refused).toMatch(/status 503[\s\S]*the proxy's log cannot be had: .*403 pods is forbidden$/);
  });
});
