import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { describe, expect, onTestFinished, test } from "vitest";
import { Answer, type Answers, fakeCluster } from "../kube/testing/kubernetes.ts";
import { UserError } from "../lib/errors.ts";
import type { ProofInputs } from "./proof.ts";
import { proofType } from "./proof.ts";
import type { Context } from "./resource.ts";

async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(handler).listen(0, "127.0.0.1");
  onTestFinished(() => void server.closeAllConnections());
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/one`;
}

const context: Context = { signal: new AbortController().signal, env: {} };

const inputs = (url: string, expected: Record<string, string>, more: Partial<ProofInputs> = {}): ProofInputs => ({
  filter: "add-header",
  url,
  expect: expected,
  digest: "d",
  timeoutMs: 300,
  ...more,
});

test("holds: status and headers are its outputs", async () => {
  const url = await serve((request, response) => response.writeHead(201, { "x-a": `${request.method}` }).end());
  const proof = await proofType.create(
    inputs(url, { "x-a": "PUT" }, { method: "PUT", body: "text", timeoutMs: 20_000 }),
    context,
  );
  expect(proof).toEqual({ status: 201, seen: { "x-a": "PUT" } });
});

test("does not hold", async () => {
  const url = await serve((_, response) => void response.end());
  await expect(proofType.create(inputs(url, { "x-a": "1" }), context)).rejects.toThrow(/x-a is missing; expected: 1/);
});

test("a filter that nothing would show fails at once, in those words, and nothing is sent", async () => {
  let requests = 0;
  const url = await serve((_, response) => void response.end(String(requests++)));
  const proof = proofType.create(inputs(url, {}, { problem: "nothing would show it" }), context);
  await expect(proof).rejects.toThrow(UserError);
  await expect(proof).rejects.toThrow("nothing would show it");
  expect(requests).toBe(0);
});

test("where nothing is to be sent, nothing is", async () => {
  expect(await proofType.create(inputs("http://127.0.0.1:1/", {}, { send: false }), context)).toEqual({
    status: 0,
    seen: {},
  });
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
