import { request as rawRequest } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type HttpRequest, httpRequest } from "../../lib/http.ts";
import { listen, type Server } from "../server.ts";
import { createEcho, describeBody } from "./service.ts";

let server: Server;
let log: ReturnType<typeof vi.fn<(level: string, message: string) => void>>;

beforeEach(async () => {
  log = vi.fn();
  const { routes } = createEcho({ maxBodyBytes: 1000 });
  server = await listen({ routes, host: "127.0.0.1", port: 0, log });
});

afterEach(async () => {
  await server.stop(0);
  expect(log.mock.calls.filter(([level]) => level === "error")).toEqual([]);
});

/** Waits until `check` no longer fails. */
const eventually = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

function call(path: string, options: Omit<HttpRequest, "url"> = {}) {
  return httpRequest({ url: server.url + path, ...options });
}

async function metric(name: string): Promise<number> {
  const { body } = await call("/metrics");
  return Number(new RegExp(`^${name} (.+)$`, "m").exec(body)?.[1]);
}

/** A request that stays open until it is dropped. */
function hold() {
  const held = rawRequest(`${server.url}/?delay=60000`);
  held.on("error", () => {});
  held.end();
  return held;
}

describe("the answer", () => {
  test("is the request", async () => {
    const response = await call("/some/%C5%82/path?a=1&b=2&b=3&__proto__=x", {
      method: "PATCH",
      headers: { "X-Test": "yes", host: "www.example.com", "content-type": "application/json" },
      body: '{"k":[1]}',
    });
    expect(response).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
    const answer = JSON.parse(response.body);
    expect(answer).toMatchObject({
      method: "PATCH",
      path: "/some/%C5%82/path",
      headers: { "x-test": "yes", host: "www.example.com" },
      body: '{"k":[1]}',
      json: { k: [1] },
      host: "www.example.com",
      httpVersion: "1.1",
      remoteAddress: "127.0.0.1",
      hostname: expect.any(String),
      pid: process.pid,
    });
    expect(Object.entries(answer.query)).toEqual([
      ["a", "1"],
      ["b", ["2", "3"]],
      ["__proto__", "x"],
    ]);
  });

  test.each(["GET", "PUT", "DELETE", "OPTIONS", "PROPFIND"])("%s on any path", async (method) => {
    expect(JSON.parse((await call("//deep//path", { method })).body)).toMatchObject({ method, path: "//deep//path" });
  });

  test("has the status and the headers asked for", async () => {
    const response = await call("/?status=503&headers=X-One:a%20b&headers=content-type:text/x");
    expect(response.status).toBe(503);
    expect(response.headers).toMatchObject({ "x-one": "a b", "content-type": "text/x" });
  });

  test("has headers beyond ASCII as they were sent, and sends them as UTF-8", async () => {
    const { headers, body } = await call("/?headers=x-back:Gr%C3%BC%C3%9Fe", { headers: { "x-there": "żółw 🐢" } });
    expect(JSON.parse(body).headers["x-there"]).toBe("żółw 🐢");
    expect(headers["x-back"]).toBe("Grüße");
  });

  test("has a header in Latin-1, too, and every value of a name", async () => {
    const headers = ["x-latin", "Gr\u00fc\u00dfe", "x-more", "1", "x-more", "2", "host", "h"];
    const body = await new Promise<string>((resolve) => {
      rawRequest(server.url, { headers }, (response) => response.on("data", (data) => resolve(String(data)))).end();
    });
    expect(JSON.parse(body).headers).toMatchObject({ "x-latin": "Grüße", "x-more": ["1", "2"] });
  });

  test.each([
    ["a cookie of 20,000 bytes", { cookie: "c=".padEnd(20_000, "v") }],
    ["2500 headers", Object.fromEntries(Array.from({ length: 2500 }, (_, i) => [`x-${i}`, "v"]))],
  ])("comes for %s", async (_what, headers) => {
    const response = await call("/", { headers });
    expect(response.status).toBe(200);
    expect(JSON.parse(response.body).headers).toMatchObject(headers);
  });

  test("comes after the CPU time asked for", async () => {
    const before = process.cpuUsage();
    expect((await call("/?burn=60")).status).toBe(200);
    const { user, system } = process.cpuUsage(before);
    expect(user + system).toBeGreaterThanOrEqual(60_000);
  });

  test("burning leaves room for health checks", async () => {
    let done = false;
    const burning = call("/?burn=300").then(() => {
      done = true;
    });
    await eventually(async () => expect(await metric("echo_requests_in_flight")).toBe(1));
    expect((await call("/healthz")).status).toBe(200);
    expect(done).toBe(false);
    await burning;
  });
});

describe("bodies", () => {
  test.each([
    ["text", "żółw", undefined, { body: "żółw" }],
    ["JSON", "[1]", "application/problem+json; charset=utf-8", { body: "[1]", json: [1] }],
    ["broken JSON", "[1", "application/json", { body: "[1" }],
    ["JSON that is not called so", "[1]", "text/plain", { body: "[1]" }],
    ["nothing", "", "application/json", { body: "" }],
    ["bytes", Buffer.from([0xff, 0]), "application/json", { body: "/wA=", bodyEncoding: "base64" }],
  ])("%s", (_what, body, contentType, described) => {
    expect(describeBody(Buffer.from(body), contentType)).toEqual(described);
  });
});

describe("what is refused", () => {
  test("bad options: 400 with every reason, at once", async () => {
    const response = await call("/?delay=abc&burn=-1&status=99");
    expect(response.status).toBe(400);
    expect(JSON.parse(response.body).error).toMatch(/status="99".*; delay="abc".*; burn="-1"/);
  });

  test("a body above the limit: 413", async () => {
    const response = await call("/", { method: "POST", body: "x".repeat(1001) });
    expect(response).toMatchObject({ status: 413, body: expect.stringContaining("larger than 1000 bytes") });
    expect((await call("/", { method: "POST", body: "x".repeat(1000) })).status).toBe(200);
  });

  test("another method on its own paths: 405", async () => {
    expect((await call("/healthz", { method: "POST" })).status).toBe(405);
  });
});

describe("metrics", () => {
  test("count requests, refused ones too, and not /metrics and /healthz", async () => {
    await call("/");
    await call("/?delay=abc");
    await call("/healthz");
    await call("/metrics");
    expect(await metric("echo_requests_total")).toBe(2);
    expect(await metric("echo_requests_in_flight")).toBe(0);
  });

  test("show requests while they are open, and no more once the client has left", async () => {
    const held = [hold(), hold(), hold()];
    await eventually(async () => expect(await metric("echo_requests_in_flight")).toBe(3));
    const before = await metric("echo_request_seconds_total");
    expect(await metric("echo_request_seconds_total")).toBeGreaterThan(before);
    for (const request of held) request.destroy();
    await eventually(async () => expect(await metric("echo_requests_in_flight")).toBe(0));
    const after = await metric("echo_request_seconds_total");
    expect(await metric("echo_request_seconds_total")).toBe(after);
    expect(await metric("echo_requests_total")).toBe(3);
  });
});
