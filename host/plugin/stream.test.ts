import { beforeAll, describe, expect, test } from "vitest";
import { compileProbe } from "../fixtures/compile.ts";
import { Plugin, type PluginOptions } from "./plugin.ts";

let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await compileProbe();
});

const load = (configuration: string, options: Partial<PluginOptions> = {}) =>
  Plugin.load({ wasm, configuration, rootId: "r", pluginName: "n", ...options });

const said = (plugin: Plugin) => plugin.logs.map(({ message }) => message);

const upstream = { headers: { "content-length": "5" }, body: "hello" };

describe("a request and its response", () => {
  // As seen in Envoy 1.40: the end of a body comes by itself, the access log before the end of the stream.
  test("callbacks in Envoy's order", () => {
    const plugin = load("lifecycle");
    plugin.stream().exchange({ method: "POST", path: "/p", body: ["ab", "cd"] }, upstream);
    expect(said(plugin)).toEqual([
      "create 2 1",
      "request headers 2 4 0",
      "request body 2 0",
      "request body 2 0",
      "request body 0 1",
      "response headers 2 0",
      "response body 5 0",
      "response body 0 1",
      "log 2 /p 200 status 1",
      "done 2",
      "delete 2",
    ]);
  });

  test("without bodies the headers are the end; with trailers, the trailers", () => {
    const plugin = load("lifecycle");
    plugin.stream().exchange({}, { trailers: { t: "1" } });
    plugin.stream().exchange({ body: "x", trailers: { a: "1", b: "2" } });
    expect(said(plugin).filter((line) => /headers|body|trailers/.test(line))).toEqual([
      "request headers 2 4 1",
      "response headers 1 0",
      "request headers 3 4 0",
      "request body 1 0",
      "request trailers 2",
      "response headers 1 1",
    ]);
  });

  test("a response header", () => {
    expect(load("add").stream().exchange({}, upstream)).toEqual({
      state: "complete",
      local: false,
      request: { method: "GET", path: "/", authority: "localhost", headers: {}, body: "", trailers: {} },
      response: { status: 200, headers: { "content-length": "5", "x-probe": "here" }, body: "hello", trailers: {} },
    });
  });

  test("headers of any name", () => {
    const headers: [string, string][] = [
      ["constructor", "a"],
      ["__proto__", "b"],
      ["__proto__", "c"],
    ];
    const { response } = load("nothing").stream().exchange({}, { headers });
    expect(Object.entries(response?.headers ?? {})).toEqual([
      ["constructor", "a"],
      ["__proto__", "b, c"],
    ]);
  });

  test("request headers: any case, the first of several, replace all, remove, add; not there any more in the response", () => {
    const plugin = load("headers");
    const headers: [string, string][] = [
      ["X-Twice", "a"],
      ["x-twice", "b"],
      ["x-secret", "s"],
    ];
    const { request } = plugin.stream().exchange({ path: "/p", headers });
    expect(request?.headers).toEqual({ "x-new": "1", "x-twice": "one", "x-added": "b" });
    expect(said(plugin)).toEqual(["/p|GET|a|status 1|status 2", "pairs 7", "late: status 2|200"]);
  });

  test("properties of the request only while the filter has it; its own stay with the stream", () => {
    const plugin = load("properties");
    plugin.stream().exchange({ path: "/p?q=1", authority: "a.test", headers: { "x-one": "1" } });
    expect(said(plugin)[0]).toMatch(/^\/p\?q=1\|\/p\|q=1\|a\.test\|GET\|1\|status 1\|r\|n\|status 1\|/);
    expect(said(plugin).slice(1)).toEqual(["set: 0", "late: status 1|7|kept"]);
  });

  test("the workload answers what it sees", () => {
    const result = load("upper-request")
      .stream()
      .exchange({ method: "POST", body: ["ab", "cd"] }, ({ body }) => ({ status: 201, body: `got ${body}` }));
    expect(result.response).toMatchObject({ status: 201, body: "got ABCD" });
  });
});

describe("bodies", () => {
  test("a filter that buffers sees all that has come; a part in the middle cannot be replaced", () => {
    const plugin = load("buffer-request");
    const { request } = plugin.stream().exchange({ method: "POST", body: ["ab", "cd"] });
    expect(said(plugin)).toEqual(["buffered 2 0", "buffered 4 0", "buffered 4 1", "partial: 2"]);
    expect(request?.body).toBe("ABCD");
  });

  test("what is put before and after each chunk, as Envoy does", () => {
    expect(load("body-response").stream().exchange({}, upstream).response?.body).toBe(">hello>>");
  });
});

describe("a filter that answers itself", () => {
  test("the workload sees nothing, the filter sees its own response", () => {
    const { request, response, local } = load("deny").stream().exchange({}, upstream);
    expect(request).toBeUndefined();
    expect(local).toBe(true);
    expect(response).toEqual({
      status: 403,
      headers: { "x-why": "closed", "content-type": "text/html", "content-length": "8", "x-seen": "403" },
      body: "no entry",
      trailers: {},
    });
  });

  test("without a body", () => {
    expect(load("deny-empty").stream().exchange().response).toMatchObject({ status: 204, headers: {}, body: "" });
  });

  test("in place of a response, which goes straight out", () => {
    const plugin = load("deny-response");
    const { response } = plugin.stream().exchange({}, upstream);
    expect(response).toMatchObject({ status: 502, body: "not that", headers: { "content-type": "text/plain" } });
    expect(plugin.calls.entries.proxy_on_response_headers).toBe(1);
  });

  test("a stream that it breaks off", () => {
    expect(load("reset-request").stream().exchange()).toEqual({ state: "reset", local: false });
    expect(load("reset-response").stream().exchange().state).toBe("reset");
  });
});

describe("a filter that waits", () => {
  test("for an answer, with the request held back", () => {
    const plugin = load("gate", { clusters: { other: { status: 299, delayMs: 40 } } });
    const stream = plugin.stream();
    expect(stream.exchange({ method: "POST", body: "abc" }, upstream)).toEqual({ state: "waiting", local: false });
    plugin.advance(39);
    expect(stream.result.state).toBe("waiting");
    plugin.advance(1);
    expect(stream.result).toMatchObject({
      state: "complete",
      request: { headers: { "x-gate": "299" }, body: "abc" },
      response: { status: 200, body: "hello" },
    });
    expect(said(plugin).at(-1)).toBe("context: 0 2");
  });

  test("and then says no", () => {
    const { response } = load("gate-deny", { clusters: { other: {} } })
      .stream()
      .exchange();
    expect(response).toMatchObject({ status: 403, body: "denied by other", headers: { "x-denied": "yes" } });
  });

  test("and lets go before it has stopped: Envoy goes on", () => {
    expect(load("continue-inside").stream().exchange().state).toBe("complete");
  });

  test("for ever, until the client goes away", () => {
    const plugin = load("pause");
    const stream = plugin.stream();
    expect(stream.exchange().state).toBe("waiting");
    stream.close();
    stream.close();
    expect(plugin.calls.entries.proxy_on_delete).toBe(1);
  });
});

describe("a trap in a request", () => {
  const passed = { state: "complete", local: false, response: { status: 200, body: "hello" } };
  const closed = { state: "complete", local: true, response: { status: 503, body: "" } };

  test.each([
    ["trap-request", "memory access out of bounds"],
    ["abort-request", /^cannot go on at: probe\.ts/],
    ["recursion-request", "Maximum call stack size exceeded"],
    ["trap-request-body", "unreachable"],
    ["trap-response", "unreachable"],
  ])("%s: 503 or not at all, by the failure policy", (mode, reason) => {
    for (const [failure, expected] of [
      ["close", closed],
      ["reload", closed],
      ["open", passed],
    ] as const) {
      const plugin = load(mode, { failure });
      expect(plugin.stream().exchange({ method: "POST", body: "x" }, upstream)).toMatchObject(expected);
      expect(plugin.trap?.reason).toEqual(typeof reason === "string" ? reason : expect.stringMatching(reason));
      const entries = { ...plugin.calls.entries };
      expect(plugin.stream().exchange({}, upstream), `${failure}, the next request`).toMatchObject(expected);
      expect(plugin.calls.entries, "nothing is called in a dead VM").toEqual(entries);
    }
  });

  test("after the response's headers have gone out, the connection breaks", () => {
    expect(load("trap-response-body").stream().exchange({}, upstream).state).toBe("reset");
    const open = load("trap-response-body", { failure: "open" }).stream().exchange({}, upstream);
    expect(open).toMatchObject({ state: "complete", response: { body: "hello" } });
  });

  test("a stream that waits when the VM dies waits for ever, as in Envoy", () => {
    const plugin = load("trap-answer", { clusters: { other: {} } });
    expect(plugin.stream().exchange().state).toBe("waiting");
    expect(plugin.trap?.callback).toBe("proxy_on_http_call_response");
  });

  test("the stack names the module's functions, a run of the same once", () => {
    const plugin = load("trap-request");
    plugin.stream().exchange();
    expect(plugin.trap?.wasmStack.map((frame) => frame.replace(/ \(.*?\)/, ""))).toEqual([
      "probe/deep",
      "probe/deep, 3 times",
      "probe/proxy_on_request_headers",
    ]);
    expect(said(plugin)).toEqual([
      "Function: proxy_on_request_headers failed: Uncaught RuntimeError: memory access out of bounds",
    ]);
  });

  test("reload: a second after the last start, a new VM serves", () => {
    const plugin = load("trap-request-body", { failure: "reload" });
    const status = (body?: string) => plugin.stream().exchange({ ...(body && { body }) }, upstream).response?.status;
    expect(status("x")).toBe(503);
    expect(status()).toBe(503);
    plugin.advance(1000);
    expect(status()).toBe(200);
    expect(plugin.trap).toBeUndefined();
    expect(status("x")).toBe(503);
    plugin.advance(999);
    expect(status()).toBe(503);
  });

  test("close: it stays dead", () => {
    const plugin = load("trap-request-body");
    plugin.stream().exchange({ body: "x" });
    plugin.advance(100_000);
    expect(plugin.stream().exchange().response?.status).toBe(503);
  });
});
