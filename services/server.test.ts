import { connect } from "node:net";
import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { UserError } from "../lib/errors.ts";
import { httpRequest } from "../lib/http.ts";
import { findRoute, HttpError, listen, type Routes, type Server, splitTarget, text } from "./server.ts";

const running: Server[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop(0)));
});

async function serve(routes: Routes) {
  const logged: string[] = [];
  const log = vi.fn((level: string, message: string) => void logged.push(`${level} ${message}`));
  const server = await listen({ routes, host: "127.0.0.1", port: 0, log });
  running.push(server);
  return { server, logged, url: server.url };
}

/** `Promise.withResolvers`, which Node 20 has not. */
function deferred() {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** A handler that answers when it is told to. */
function held() {
  const gate = deferred();
  const begun = deferred();
  const handler = async () => {
    begun.resolve();
    await gate.promise;
    return text(200, "done");
  };
  return { handler, begun: begun.promise, release: gate.resolve };
}

/** A raw connection, for what no proper client sends. */
function open(port: number) {
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.setEncoding("utf8").on("data", (chunk) => {
    received += chunk;
  });
  socket.on("error", () => {});
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  const connected = new Promise<void>((resolve) => socket.on("connect", () => resolve()));
  return { socket, connected, closed, received: () => received };
}

describe("targets", () => {
  test.each([
    ["/", "/", {}],
    ["/a?b=1&c", "/a", { b: "1", c: "" }],
    ["//a//b", "//a//b", {}],
    ["//", "//", {}],
    ["?x=1", "/", { x: "1" }],
    ["*", "*", {}],
    ["http://host:1/p?q=http://x/", "/p", { q: "http://x/" }],
    ["http://host", "/", {}],
    ["/%zz?%zz=%", "/%zz", { "%zz": "%" }],
    ["/a?b?c", "/a", { "b?c": "" }],
  ])("%s", (target, path, query) => {
    const split = splitTarget(target);
    expect(split.path).toBe(path);
    expect(Object.fromEntries(split.query)).toEqual(query);
  });

  test("path and query of a local target come back as they were", () => {
    const path = fc.stringMatching(/^\/[^?\s]*$/);
    fc.assert(
      fc.property(path, fc.dictionary(fc.string(), fc.string()), (path, query) => {
        const split = splitTarget(`${path}?${new URLSearchParams(query)}`);
        expect(split.path).toBe(path);
        expect([...split.query]).toEqual([...new URLSearchParams(query)]);
      }),
    );
  });
});

describe("routes", () => {
  const handler = () => text(200, "");
  const routes: Routes = { "/a": { GET: handler, PUT: handler }, "/x/{one}/{two}": { GET: handler } };
  const refusal = (method: string, path: string) => {
    try {
      findRoute(routes, method, path);
    } catch (error) {
      if (error instanceof HttpError) return error;
    }
    throw new Error("not refused");
  };

  test("a literal path, parameters decoded, HEAD as GET", () => {
    expect(findRoute(routes, "HEAD", "/a").params).toEqual({});
    expect(findRoute(routes, "GET", "/x/a%2Fb/c").params).toEqual({ one: "a/b", two: "c" });
  });

  test.each(["/", "/a/", "/A", "/x/1", "/x/1/2/3", "/x//2", "/x/1/"])(
    "404 for %s, with the paths there are",
    (path) => {
      expect(refusal("GET", path)).toMatchObject({
        status: 404,
        message: expect.stringContaining("/a, /x/{one}/{two}"),
      });
    },
  );

  test("405 tells the methods there are", () => {
    expect(refusal("POST", "/a")).toMatchObject({ status: 405, headers: { allow: "GET, HEAD, PUT" } });
  });

  test("400 for a parameter that cannot be decoded", () => {
    expect(refusal("GET", "/x/%zz/1")).toMatchObject({ status: 400 });
  });

  test("a path that no other matches goes to *, and * of a path takes any method", () => {
    const all: Routes = { "/a": { GET: handler }, "*": { "*": handler } };
    expect(findRoute(all, "PATCH", "/b").handler).toBe(handler);
    expect(() => findRoute(all, "POST", "/a")).toThrow(HttpError);
  });
});

describe("answers", () => {
  test("a handler that fails: 500 without the reason, which is in the log", async () => {
    const { url, logged } = await serve({
      "/": {
        GET: () => {
          throw new Error("secret reason");
        },
      },
    });
    const response = await httpRequest({ url });
    expect(response.status).toBe(500);
    expect(response.body).not.toContain("secret");
    expect(logged).toContain("error GET / failed: secret reason");
  });

  test("HEAD has GET's headers and no body", async () => {
    const { url } = await serve({ "/": { GET: () => text(200, "four") } });
    expect(await httpRequest({ url, method: "HEAD" })).toMatchObject({ body: "", headers: { "content-length": "4" } });
  });

  test.each([204, 205, 304])("%i has no body, and the connection goes on", async (status) => {
    const { server } = await serve({
      "/": { GET: () => text(status, "body") },
      "/next": { GET: () => text(200, "x") },
    });
    const { socket, closed, received } = open(server.port);
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\nGET /next HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    await closed;
    expect(received()).toContain(`HTTP/1.1 ${status}`);
    expect(received()).not.toContain("body");
    expect(received()).toContain("HTTP/1.1 200");
  });

  test("a body up to the limit is read; beyond it 413, declared or not, and the connection goes on", async () => {
    const { server, url } = await serve({
      "/": { POST: async (request) => text(200, String((await request.body(10)).length)) },
    });
    expect(await httpRequest({ url, method: "POST", body: "0123456789" })).toMatchObject({ status: 200, body: "10" });
    expect(await httpRequest({ url, method: "POST" })).toMatchObject({ status: 200, body: "0" });
    const declared = await httpRequest({ url, method: "POST", body: "x".repeat(1_000_000) });
    expect(declared).toMatchObject({ status: 413, body: expect.stringContaining("larger than 10 bytes") });

    const { socket, closed, received } = open(server.port);
    socket.write("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    for (let i = 0; i < 5; i++) socket.write("8\r\n01234567\r\n");
    socket.write("0\r\n\r\nPOST / HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabc");
    await closed;
    expect(received().match(/HTTP\/1.1 \d+/g)).toEqual(["HTTP/1.1 413", "HTTP/1.1 200"]);
  });

  test("what is not HTTP: 400, and the server goes on", async () => {
    const { server, url } = await serve({ "/": { GET: () => text(200, "ok") } });
    const { socket, closed, received } = open(server.port);
    socket.write("nonsense\r\n\r\n");
    await closed;
    expect(received()).toContain("HTTP/1.1 400");
    expect(await httpRequest({ url })).toMatchObject({ status: 200 });
  });

  test("a client that leaves: the signal aborts, and nothing is logged as an error", async () => {
    const [getBegun, postBegun, aborted] = [deferred(), deferred(), deferred()];
    const { server, logged } = await serve({
      "/": {
        GET: async ({ signal }) => {
          getBegun.resolve();
          await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("left"))));
          return text(200, "");
        },
        POST: async (request) => {
          postBegun.resolve();
          request.signal.addEventListener("abort", aborted.resolve);
          await request.body(100);
          return text(200, "");
        },
      },
    });
    const get = open(server.port);
    get.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    const post = open(server.port);
    post.socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 50\r\n\r\nhalf");
    await Promise.all([getBegun.promise, postBegun.promise]);
    get.socket.destroy();
    post.socket.destroy();
    await aborted.promise;
    await vi.waitFor(() => expect(logged.filter((line) => line.startsWith("debug"))).toHaveLength(2));
    expect(logged.filter((line) => !line.startsWith("debug"))).toEqual([]);
  });
});

describe("listening", () => {
  test("a port in use is a UserError that says what to do", async () => {
    const { server } = await serve({});
    const second = listen({ routes: {}, host: "127.0.0.1", port: server.port, log: () => {} });
    await expect(second).rejects.toThrow(UserError);
    await expect(second).rejects.toThrow(
      `port ${server.port} on 127.0.0.1 is in use by another process: stop that one`,
    );
  });

  test("an address that this machine does not have", async () => {
    const foreign = listen({ routes: {}, host: "192.0.2.1", port: 0, log: () => {} });
    await expect(foreign).rejects.toThrow("192.0.2.1 is not an address of this machine: set HOST");
  });
});

describe("stopping", () => {
  test("an open request is finished, its connection closed, a new one refused", async () => {
    const { handler, begun, release } = held();
    const { server, url } = await serve({ "/": { GET: handler } });
    const response = httpRequest({ url });
    await begun;
    const stopped = server.stop(60_000);
    await expect(httpRequest({ url })).rejects.toThrow("ECONNREFUSED");
    release();
    expect(await response).toMatchObject({ status: 200, body: "done", headers: { connection: "close" } });
    expect(await stopped).toBe(0);
  });

  test("connections without a request hold nothing up: idle ones, and those on which nothing was ever sent", async () => {
    const { server } = await serve({ "/": { GET: () => text(200, "ok") } });
    const silent = open(server.port);
    const idle = open(server.port);
    idle.socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await silent.connected;
    await vi.waitFor(() => expect(idle.received()).toContain("ok"));
    expect(await server.stop(60_000)).toBe(0);
    await Promise.all([silent.closed, idle.closed]);
  });

  test("an answer already under way to a slow client is sent whole, then its connection closed", async () => {
    const size = 20_000_000; // more than the kernel buffers
    const { server } = await serve({ "/": { GET: () => text(200, "x".repeat(size)) } });
    const { socket, closed, received } = open(server.port);
    socket.once("data", () => socket.pause());
    socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
    await vi.waitFor(() => expect(received()).toContain("x"));
    const stopped = server.stop(60_000);
    socket.resume();
    await closed;
    expect(received()).toMatch(/connection: keep-alive/i); // it began before the stop
    expect(received().split("\r\n\r\n")[1]?.length).toBe(size);
    expect(await stopped).toBe(0);
  });

  test("a request that does not end is cut off after the grace period, and counted", async () => {
    const { handler, begun } = held();
    const { server, url } = await serve({ "/": { GET: handler } });
    const response = httpRequest({ url }).catch((error) => error.code);
    await begun;
    expect(await server.stop(30)).toBe(1);
    expect(await response).toBe("ECONNRESET");
  });

  test("a second stop with no grace ends a long one", async () => {
    const { handler, begun } = held();
    const { server, url } = await serve({ "/": { GET: handler } });
    const response = httpRequest({ url }).catch((error) => error.code);
    await begun;
    const first = server.stop(60_000);
    expect(await server.stop(0)).toBe(1);
    expect(await first).toBe(1);
    expect(await response).toBe("ECONNRESET");
  });
});
