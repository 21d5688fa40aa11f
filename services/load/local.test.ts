import http from "node:http";
import { afterEach, expect, test, vi } from "vitest";
import { createEcho } from "../echo/service.ts";
import { type Handler, listen, type Routes, text } from "../server.ts";
import { createLocalSource } from "./local.ts";
import { ServiceUnknown, SourceDown } from "./source.ts";

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(routes: Routes, port = 0) {
  const server = await listen({ routes, host: "127.0.0.1", port, log: () => {} });
  cleanUps.push(() => server.stop(0));
  return server;
}

const serveEcho = (port?: number) => serve(createEcho({ maxBodyBytes: 1000 }).routes, port);

/** Polls every 20 ms; `lines` has what was logged above debug, `periods` the figures of every good poll. */
function watch(url: string) {
  const lines: string[] = [];
  const periods: { current: number; target: number; inFlight: number }[] = [];
  const service = { service: "default/echo", url: `${url}/metrics`, capacity: 4, minReplicas: 1, maxReplicas: 2 };
  const source = createLocalSource([{ ...service, periodMs: 20 }], (level, message, fields) => {
    if (level === "debug") periods.push(fields as (typeof periods)[number]);
    else lines.push(`${level}: ${message}`);
  });
  cleanUps.push(() => source.stop());
  source.start();
  return { source, lines, periods, load: () => source.load("default/echo") };
}

/** Waits until `check` no longer fails. */
const eventually = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 10_000, interval: 5 });

/** Opens requests that stay open until they are dropped. */
function hold(url: string, count: number) {
  const requests = Array.from({ length: count }, () => http.get(`${url}/?delay=60000`).on("error", () => {}));
  const drop = () => {
    for (const request of requests) request.destroy();
  };
  cleanUps.push(drop);
  return drop;
}

test("at rest: 1 of 2 there, 1 wanted; polling is no load", async () => {
  const { load, periods } = watch((await serveEcho()).url);
  await eventually(() => expect(periods.length).toBeGreaterThan(5));
  expect(await load()).toEqual({
    service: "default/echo",
    currentLoad: 1,
    targetLoad: 1,
    maxLoad: 2,
    observedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
  });
  expect(periods.map(({ inFlight }) => inFlight)).toEqual(periods.map(() => 0));
});

test("follows real requests up and down, the current replicas one period behind", async () => {
  const { url } = await serveEcho();
  const { load, periods } = watch(url);
  const drop = hold(url, 5);
  await eventually(async () => expect(await load()).toMatchObject({ currentLoad: 2, targetLoad: 2 }));
  drop();
  await eventually(async () => expect(await load()).toMatchObject({ currentLoad: 1, targetLoad: 1 }));
  for (const [index, { current }] of periods.entries()) expect(current).toBe(periods[index - 1]?.target ?? 1);
});

test("requests open all the time, exactly as many as one replica holds, never ask for a second", async () => {
  const { url } = await serveEcho();
  hold(url, 4);
  const { periods } = watch(url);
  await eventually(() => expect(periods.at(-1)?.inFlight).toBeCloseTo(4, 6));
  const from = periods.length;
  await eventually(() => expect(periods.length).toBeGreaterThan(from + 10));
  expect(periods.slice(from).map(({ target }) => target)).toEqual(periods.slice(from).map(() => 1));
});

test("not there at first, then gone, then back: no figures meanwhile, each logged once", async () => {
  const first = await serveEcho();
  await first.stop(0);
  const { load, lines, source } = watch(first.url);
  await expect(load()).rejects.toThrow(SourceDown);
  await expect(load()).rejects.toThrow("it was not polled yet");
  await eventually(() => expect(load()).rejects.toThrow(`${first.url}/metrics: connect ECONNREFUSED`));

  const second = await serveEcho(first.port);
  await eventually(() => load());
  await second.stop(0);
  await eventually(() => expect(load()).rejects.toThrow(SourceDown));
  await serveEcho(first.port);
  await eventually(() => load());

  expect(lines.map((line) => line.replace(/: http.*/, ""))).toEqual([
    "warn: no figures for default/echo",
    "info: figures for default/echo are there",
    "warn: no figures for default/echo",
    "info: figures for default/echo are there",
  ]);
  await expect(source.load("default/other")).rejects.toThrow(
    new ServiceUnknown("default/other is not known; there is default/echo"),
  );
});

test("replicas are kept over a failed poll", async () => {
  const echo = createEcho({ maxBodyBytes: 1000 }).routes;
  const metrics = echo["/metrics"]?.GET as Handler;
  let broken = false;
  const GET: Handler = (request) => (broken ? text(500, "no") : metrics(request));
  const server = await serve({ "/metrics": { GET }, "*": echo["*"] ?? {} });
  const { load, periods } = watch(server.url);
  hold(server.url, 5);
  await eventually(async () => expect(await load()).toMatchObject({ currentLoad: 2, targetLoad: 2 }));
  broken = true;
  await eventually(() => expect(load()).rejects.toThrow("it answered with status 500"));
  const before = periods.length;
  broken = false;
  await eventually(() => load());
  expect(periods[before]).toMatchObject({ current: 2, target: 2 });
});

test.each([
  ["a page that is no metrics", () => text(200, "hello"), "no valid process_start_time_seconds"],
  ["no such page", () => text(404, "hello"), "it answered with status 404"],
])("%s", async (_what, get, reason) => {
  const { url } = await serve({ "/metrics": { GET: get } });
  const { load } = watch(url);
  await eventually(() => expect(load()).rejects.toThrow(reason));
});

test("one that never answers: no figures, with that reason", async () => {
  const { url } = await serve({ "/metrics": { GET: () => new Promise<never>(() => {}) } });
  const { load } = watch(url);
  await eventually(() => expect(load()).rejects.toThrow(/no answer within 1000 ms/));
});

test("stop drops the poll under way and begins none", async () => {
  let polls = 0;
  const { url } = await serve({
    "/metrics": {
      GET: () => {
        polls++;
        return new Promise<never>(() => {});
      },
    },
  });
  const { source, lines } = watch(url);
  await eventually(() => expect(polls).toBe(1));
  source.stop();
  await new Promise((resolve) => setTimeout(resolve, 100)); // five periods
  expect(polls).toBe(1);
  expect(lines).toEqual([]);
});
