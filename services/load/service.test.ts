import { afterEach, describe, expect, test, vi } from "vitest";
import { httpRequest } from "../../lib/http.ts";
import { listen, type Server } from "../server.ts";
import { createLoadService } from "./service.ts";
import { type Load, type LoadSource, ServiceUnknown, SourceDown } from "./source.ts";

let server: Server | undefined;
afterEach(() => server?.stop(0));

const figures: Load = {
  service: "default/echo",
  currentLoad: 1,
  targetLoad: 2,
  maxLoad: 3,
  observedAt: "2026-01-01T00:00:00.000Z",
};

const both = async () => ["default/echo", "shop/cart"];

/** Serves what `load` gives for the services default/echo and shop/cart. */
async function serve(load: LoadSource["load"], services: LoadSource["services"] = both) {
  const source = { services, load, start: vi.fn(), stop: vi.fn() };
  const log = vi.fn();
  server = await listen({ routes: createLoadService(source).routes, host: "127.0.0.1", port: 0, log });
  const { url } = server;
  const get = (path: string, accept?: string, method?: string) =>
    httpRequest({ url: url + path, headers: accept ? { accept } : {}, method });
  return { get, log };
}

const good = async (service: string) => {
  if (!(await both()).includes(service))
    throw new ServiceUnknown(`${service} is not known; there is default/echo, shop/cart`);
  return { ...figures, service };
};
const down = async (service: string) => {
  if (service === "shop/cart") throw new SourceDown("no figures for shop/cart: connection refused");
  return figures;
};

describe("a deployment's load", () => {
  test("is the header's text, without an end of line", async () => {
    const { get } = await serve(good);
    const response = await get("/load/default/echo");
    expect(response).toMatchObject({ status: 200, headers: { vary: "accept" } });
    expect(response.headers["content-type"]).toMatch(/^text\/plain/);
    expect(response.body).toBe("service=default/echo, current-load=1, target-load=2, max-load=3");
    expect((await get("/load/shop/cart")).body).toMatch(/^service=shop\/cart, /);
  });

  test("is JSON where Accept asks for it", async () => {
    const { get } = await serve(good);
    const response = await get("/load/default/echo", "application/json");
    expect(response).toMatchObject({ status: 200, headers: { "content-type": "application/json", vary: "accept" } });
    expect(JSON.parse(response.body)).toEqual(figures);
  });
});

describe("no figures", () => {
  test.each(["/load/default/other", "/load/echo/default", "/load/default/echo%2F"])(
    "%s is not known: 404 that says what is",
    async (path) => {
      const response = await (await serve(good)).get(path);
      expect(response).toMatchObject({
        status: 404,
        body: expect.stringContaining("there is default/echo, shop/cart"),
      });
    },
  );

  test.each(["/", "/load", "/load/default", "/load/default/echo/x"])("%s is no path: 404", async (path) => {
    const response = await (await serve(good)).get(path);
    expect(response).toMatchObject({ status: 404, body: expect.stringContaining("/load/{namespace}/{deployment}") });
  });

  test("another method: 405", async () => {
    const response = await (await serve(good)).get("/load/default/echo", undefined, "POST");
    expect(response).toMatchObject({ status: 405, headers: { allow: "GET, HEAD" } });
  });

  test("the source is down: 503 with the reason, for this service alone", async () => {
    const { get } = await serve(down);
    const response = await get("/load/shop/cart");
    expect(response.status).toBe(503);
    expect(JSON.parse(response.body)).toEqual({ error: "no figures for shop/cart: connection refused" });
    expect((await get("/load/default/echo")).status).toBe(200);
  });

  test("the source has a defect: 500, and the log tells it", async () => {
    const { get, log } = await serve(async () => {
      throw new TypeError("defect");
    });
    expect((await get("/load/default/echo")).status).toBe(500);
    expect((await get("/readyz")).status).toBe(500);
    expect(log).toHaveBeenCalledWith("error", "GET /load/default/echo failed: defect", expect.anything());
  });
});

describe("health", () => {
  test("ready once there are figures for every service", async () => {
    const { get } = await serve(good);
    expect((await get("/healthz")).status).toBe(200);
    expect((await get("/readyz")).status).toBe(200);
  });

  test("alive, but not ready, with the reason, while one source is down", async () => {
    const { get } = await serve(down);
    expect((await get("/healthz")).status).toBe(200);
    expect(await get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("connection refused") });
  });

  test("not ready, with the reason, while the source cannot even tell what there is", async () => {
    const { get } = await serve(good, async () => {
      throw new SourceDown("the API is down");
    });
    expect(await get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("the API is down") });
  });

  test("not ready while something scales what is not there", async () => {
    const { get } = await serve(good, async () => ["default/gone"]);
    expect(await get("/readyz")).toMatchObject({ status: 503, body: expect.stringContaining("default/gone") });
  });
});
