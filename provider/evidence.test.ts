import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener } from "node:http";
import { createServer as createHttp2 } from "node:http2";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Answer, fakeCluster } from "../kube/testing/kubernetes.ts";
import { UserError } from "../lib/errors.ts";
import { proofRequest } from "../proof/request.ts";
import { createCertificate } from "../services/testing/certificate.ts";
import { freePort } from "../test/ports.ts";
import type { EvidenceInputs, EvidenceOutputs, Straight } from "./evidence.ts";
import { evidenceType } from "./evidence.ts";
import type { Context } from "./resource.ts";

const context: Context = { signal: new AbortController().signal, env: {} };
let asked: IncomingMessage[];
beforeEach(() => {
  asked = [];
});

async function listen<T extends Server>(server: T): Promise<number> {
  server.listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

const workload: RequestListener = async (request, response) => {
  asked.push(request);
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  response.writeHead(200, { "content-type": "text/plain" });
  response.end(`${request.method} ${request.url} ${request.headers["x-mine"]} ${Buffer.concat(chunks)}`);
};

const straightTo = (port: number, more: Partial<Straight> = {}): Straight => ({
  workload: "httpbin",
  path: "/get",
  host: "www.example.com",
  at: { host: "127.0.0.1", port, http: 1 },
  ...more,
});

const inputs = (more: Partial<EvidenceInputs>): EvidenceInputs => ({
  filter: "mine",
  request: proofRequest(),
  subject: { digest: "new" },
  otherwise: "keep",
  ...more,
});

/** A Service with two pods, of which the second is ready. */
async function cart(selector: Record<string, string> | undefined, ports: Record<string, () => unknown> = {}) {
  const pod = (name: string, status: string) => ({
    metadata: { name, namespace: "shop" },
    spec: { containers: [{ name: "a", ports: [{ name: "http", containerPort: 8080 }] }] },
    status: { conditions: [{ type: "Ready", status }] },
  });
  const answers = {
    "GET /api/v1/namespaces/shop/services/cart": () => ({
      metadata: { name: "cart" },
      spec: { selector, ports: [{ port: 80, targetPort: "http" }] },
    }),
    "GET /api/v1/namespaces/shop/pods": (query: URLSearchParams) =>
      query.get("labelSelector") === "app=cart" ? { items: [pod("one", "False"), pod("two", "True")] } : undefined,
  };
  const { kubeconfig } = await fakeCluster(answers, ports);
  return { kubeconfig, namespace: "shop", service: "cart", port: 80 };
}

const create = (more: Partial<EvidenceInputs>) => evidenceType.create(inputs(more), context);

describe("the workload's own answer", () => {
  test("is to the very request, past every proxy, and is kept", async () => {
    const straight = straightTo(await listen(createServer(workload)));
    const request = proofRequest({ method: "POST", headers: { "X-Mine": "żółw" }, body: "text" });
    const { baseline, attached, expected, problem } = await create({ request, straight, expect: { "x-a": "1" } });
    expect(baseline).toMatchObject({ status: 200, headers: { "content-type": "text/plain" } });
    expect(baseline?.body).toMatch(/^POST \/get .* text$/);
    expect(asked[0]?.headers).toMatchObject({
      host: "www.example.com",
      "user-agent": "meshup",
      "x-request-id": expect.any(String),
      "x-envoy-original-path": "/get",
    });
    expect({ attached, expected, problem }).toEqual({
      attached: { digest: "new" },
      expected: { "x-a": "1" },
      problem: "",
    });
  });

  test("a long body is kept in part, and compared whole", async () => {
    const body = `${"x".repeat(50_000)} the end`;
    const straight = straightTo(await listen(createServer((_, response) => void response.end(body))));
    const { baseline, problem } = await create({ straight, expect: { body: "/the end$/" } });
    expect(baseline?.body.length).toBeLessThan(20_000);
    expect(problem).toContain("without it, the workload itself answers");
  });

  test("over TLS, with its own name and authority", async () => {
    const { key, cert } = createCertificate("127.0.0.1");
    const port = await listen(createHttps({ key, cert }, workload));
    const tls = { serverName: "127.0.0.1", authorities: cert };
    const at = { host: "127.0.0.1", port, tls, http: "both" as const };
    const { baseline } = await create({ straight: straightTo(port, { at }), expect: { "x-a": "1" } });
    expect(baseline?.body).toMatch(/^GET \/get/);
    const other = { ...at, tls: { serverName: "127.0.0.1" } };
    const untrusted = await create({ straight: straightTo(port, { at: other }), expect: { "x-a": "1" } });
    expect(untrusted.baseline).toBeUndefined();
  });

  test("in HTTP/2, where it speaks nothing else", async () => {
    const server = createHttp2((request, response) => {
      response.writeHead(200, { "x-name": Buffer.from("Grüße").toString("latin1") });
      response.end(`${request.method} ${request.authority} ${request.url}`);
    });
    const port = await listen(server);
    const straight = straightTo(port, { at: { host: "127.0.0.1", port, http: 2 } });
    const { baseline } = await create({ straight, expect: { "x-a": "1" } });
    expect(baseline).toMatchObject({ status: 200, body: "GET www.example.com /get", headers: { "x-name": "Grüße" } });
  });

  test("of a Service: at a ready pod's own port", async () => {
    const at = await cart({ app: "cart" }, { "two:8080 /get": () => new Answer(418, "a teapot") });
    const { baseline } = await create({ straight: straightTo(0, { at }), expect: { "x-a": "1" } });
    expect(baseline).toMatchObject({ status: 418, body: "a teapot" });
    const none = await create({ straight: straightTo(0, { at: { ...at, port: 81 } }), expect: { "x-a": "1" } });
    expect(none.baseline).toBeUndefined();
  });

  test("of a Service: in HTTP/2, where its pods speak nothing else", async () => {
    const port = await listen(
      createHttp2((request, response) => void response.end(`${request.method} ${request.url}`)),
    );
    const at = await cart({ app: "cart" }, { "two:8080": () => port });
    const { baseline } = await create({ straight: straightTo(0, { at: { ...at, http: 2 } }), expect: { "x-a": "1" } });
    expect(baseline).toMatchObject({ status: 200, body: "GET /get" });
  });

  test("is not asked for where nothing is to be sent, or the workload is not there yet", async () => {
    const straight = straightTo(await listen(createServer(workload)));
    expect(await create({ request: false, straight })).toEqual({
      expected: {},
      attached: { digest: "new" },
      problem: "",
    });
    expect(await create({ expect: { a: "1" } })).toEqual({
      expected: { a: "1" },
      attached: { digest: "new" },
      problem: "",
    });
    expect(asked).toEqual([]);
  });

  test("is asked for again by the next up, where nobody answered", async () => {
    const straight = straightTo(await freePort());
    const outputs = await create({ straight, expect: { a: "1" } });
    expect(outputs).toEqual({ expected: { a: "1" }, attached: { digest: "new" }, problem: "" });
    const drifted = (state: EvidenceOutputs, news: EvidenceInputs) =>
      evidenceType.hasDrifted?.({ ...news, ...state }, news, context);
    expect(await drifted(outputs, inputs({ straight, expect: { a: "1" } }))).toBe(true);
    expect(await drifted(outputs, inputs({ expect: { a: "1" } }))).toBe(false);
    const baseline = { status: 200, headers: {}, body: "" };
    expect(await drifted({ ...outputs, baseline }, inputs({ straight, expect: { a: "1" } }))).toBe(false);
  });
});

describe("a workload that can never be asked is asked once", () => {
  const request = proofRequest({ path: "/the-secret-path", headers: { "x-key": "the-secret-key" } });

  async function settles(at: Straight["at"], why: string): Promise<void> {
    const news = inputs({ request, straight: straightTo(0, { path: request.path, at }), expect: { "x-a": "1" } });
    const outputs = await evidenceType.create(news, context);
    expect(outputs).toMatchObject({ attached: { digest: "new" }, problem: "", unaskable: expect.any(String) });
    expect(outputs.unaskable).toContain('filter "mine": the workload httpbin cannot be asked');
    expect(outputs.unaskable).toContain(why);
    expect(outputs.unaskable).not.toContain("the-secret");
    expect(await evidenceType.hasDrifted?.({ ...news, ...outputs }, news, context)).toBe(false);
  }

  const local = (port: number, http: 1 | 2) => ({ host: "127.0.0.1", port, http });
  /** Exchanges are given up after this many milliseconds. */
  const hurry = (milliseconds: number) => {
    const timeout = AbortSignal.timeout.bind(AbortSignal);
    const spy = vi.spyOn(AbortSignal, "timeout").mockImplementation(() => timeout(milliseconds));
    onTestFinished(() => spy.mockRestore());
  };
  const endless: RequestListener = (_, response) => void response.writeHead(200).write("the beginning");

  test("a Service without a selector", async () => {
    await settles(await cart(undefined), "the Service shop/cart selects no pods");
  });

  test("a stream without an end", async () => {
    hurry(200);
    const port = await listen(createServer(endless));
    await settles(local(port, 1), "its response does not end");
    await settles(await cart({ app: "cart" }, { "two:8080": () => port }), "its response does not end");
  });

  test("one that speaks the other HTTP than was declared", async () => {
    await settles(local(await listen(createHttp2(() => {})), 1), "what it answers is not HTTP/1");
    await settles(local(await listen(createServer(workload)), 2), "what it answers is not HTTP/2");
  });

  test("but one that is silent, or breaks off, is asked again", async () => {
    hurry(200);
    const silent = await listen(createServer(() => {}));
    const broken = await listen(
      createServer((_, response) => void response.writeHead(200).write("", () => response.destroy())),
    );
    const drifts = [silent, broken].map(async (port) => {
      const news = inputs({ straight: straightTo(port), expect: { "x-a": "1" } });
      const outputs = await evidenceType.create(news, context);
      expect(outputs).not.toHaveProperty("unaskable");
      return evidenceType.hasDrifted?.({ ...news, ...outputs }, news, context);
    });
    expect(await Promise.all(drifts)).toEqual([true, true]);
  });

  test("and can be asked after all, once its inputs have changed", async () => {
    const news = inputs({ straight: straightTo(await listen(createServer(workload))), expect: { "x-a": "1" } });
    const before = { ...news, expected: {}, attached: null, unaskable: "why" };
    const outputs = await evidenceType.update(before, news, context);
    expect(outputs).toMatchObject({ baseline: { status: 200 } });
    expect(outputs).not.toHaveProperty("unaskable");
  });
});

describe("a filter that nothing would show", () => {
  const found = { adds: {} };
  const before = { ...inputs({ subject: { digest: "old" } }), expected: { a: "1" }, attached: { digest: "old" } };

  test("is not attached, and its reason is passed on", async () => {
    const { attached, problem } = await create({ found });
    expect(attached).toBeNull();
    expect(problem).toContain('filter "mine": nothing would show that it runs');
  });

  test("stays as it was before", async () => {
    const outputs = await evidenceType.update(before, inputs({ found }), context);
    expect(outputs).toMatchObject({ attached: { digest: "old" }, expected: { a: "1" }, problem: expect.any(String) });
    const again = await evidenceType.update({ ...before, ...outputs }, inputs({ found, expect: { a: "1" } }), context);
    expect(again).toEqual({ attached: { digest: "new" }, expected: { a: "1" }, problem: "" });
  });

  test("or fails, where nothing else depends on it", async () => {
    await expect(create({ found, otherwise: "fail" })).rejects.toThrow(UserError);
    const updating = evidenceType.update(before, inputs({ found, otherwise: "fail" }), context);
    await expect(updating).rejects.toThrow("nothing would show");
  });

  test("what is secret is not told", async () => {
    const straight = straightTo(await listen(createServer(workload)));
    const secretInputs = new Set(["expect"]);
    const { problem } = await evidenceType.create(inputs({ straight, expect: { "content-type": "text/plain" } }), {
      ...context,
      secretInputs,
    });
    expect(problem).toContain("content-type");
    expect(problem).not.toContain("text/plain");
  });
});
