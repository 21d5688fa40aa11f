import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { createTerminal } from "../output/terminal.ts";
import { filterOutputs, printProofs, proofLine, proveAll, routeUrls } from "./proof.ts";

const server = http.createServer((request, response) => {
  const [status = "200"] = request.url?.slice(1).split("/") ?? [];
  response.writeHead(Number(status) || 200, { "x-one": "1", "x-host": request.headers.host }).end();
});
let url: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => server.close());

const filter = (expect: Record<string, string>, rest = {}) => ({
  name: "f",
  digest: "d",
  delivery: "file" as const,
  url,
  expect,
  ...rest,
});

it("sends each filter's request now, with its headers, and shows what came back", async () => {
  const [proof] = await proveAll([filter({ "x-one": "/^\\d$/", "x-host": "h" }, { headers: { host: "h" } })]);
  expect(proof).toEqual({ filter: "f", url, ok: true, status: 200, seen: { "x-one": "1", "x-host": "h" } });
});

it.each([
  ["another value", { "x-one": "2" }, "", /x-one is: 1; expected: 2/],
  ["no such header", { "x-two": "2" }, "", /x-two is missing/],
  ["a failure", { "x-one": "1" }, "503", /status 503/],
  ["a failure where nothing is expected", {}, "503", /status 503/],
])("%s is no proof", async (_what, expected, path, problem) => {
  const [proof] = await proveAll([filter(expected, { url: url + path })], 100);
  expect(proof).toMatchObject({ ok: false, problem: expect.stringMatching(problem) });
});

it("a filter that expects no header is proved by an answer", async () => {
  const [proof] = await proveAll([filter({})]);
  expect(proof).toMatchObject({ ok: true, status: 200, seen: {} });
});

it("is no proof where nobody answers", async () => {
  const [proof] = await proveAll([filter({ a: "b" }, { url: "http://127.0.0.1:1/" })], 100);
  expect(proof?.problem).toMatch(/ECONNREFUSED/);
});

async function printed(outputs: Record<string, unknown>, proofs: Parameters<typeof printProofs>[2]) {
  const lines: string[] = [];
  const stdout = { write: (text: string) => lines.push(text) };
  const ok = await printProofs(createTerminal({ json: false, stdout, stderr: stdout, env: {} }), outputs, proofs);
  return { ok, text: lines.join("") };
}

it("prints URLs and proofs", async () => {
  const good = { filter: "a", url: "http://x/one", ok: true, status: 200, seen: { h: "v" } };
  const { ok, text } = await printed({ gatewayUrl: "http://x", routes: { one: "http://x/one" } }, [good]);
  expect(ok).toBe(true);
  expect(text).toMatch(/^Gateway: http:\/\/x\n {2}http:\/\/x\/one\n/);
  expect(text).toContain("ok      a  GET http://x/one → 200  h: v");
});

it("prints a failure beside what holds", async () => {
  const bad = { filter: "b", url: "u", ok: false, seen: {}, problem: "why\nwhere" };
  const { ok, text } = await printed({}, [{ filter: "a", url: "u", ok: true, status: 200, seen: {} }, bad]);
  expect(ok).toBe(false);
  expect(text).toMatch(/ok {6}a[\s\S]*FAILED {2}b {2}why\n {10}where/);
});

it("renders several headers on one line", () => {
  const seen = { header_1: "first", header_2: "second" };
  expect(proofLine({ filter: "f", url: "u", ok: true, status: 200, seen })).toBe(
    "GET u → 200  header_1: first  header_2: second",
  );
});

it.each([
  [{ one: "http://a", two: "http://b" }, ["http://a", "http://b"]],
  [[{ name: "one", url: "http://a" }], ["http://a"]],
  [undefined, []],
  [{ one: 1 }, []],
])("routes %j", (routes, urls) => {
  expect(routeUrls(routes)).toEqual(urls);
});

it.each([[{ filters: "x" }], [{ filters: [1] }], [{ filters: [{ name: "a" }] }]])("refuses outputs %j", (outputs) => {
  expect(() => filterOutputs(outputs)).toThrow(UserError);
});

it("takes a stack without filters", () => {
  expect(filterOutputs({})).toEqual([]);
});

it("sends the very request, and says what it shows", async () => {
  const request = { method: "PUT", path: "", headers: {}, body: "text" };
  const [proof] = await proveAll([filter({}, { request, url: `${url}201`, expect: { status: 201, body: "" } })]);
  expect(proof).toMatchObject({ ok: true, status: 201, method: "PUT", shows: ["the body is "] });
  expect(proofLine(proof as never)).toMatch(/^PUT \S+\/201 → 201 {2}the body is/);
});

it("a filter that is not to be shown is no failure and no success", async () => {
  const proofs = await proveAll([filter({}, { name: "silent", request: false }), filter({}, { name: "any" })]);
  expect(proofs).toEqual([
    { filter: "silent", ok: true, seen: {}, shown: false },
    { filter: "any", url, ok: true, status: 200, seen: {}, shown: false, shows: [expect.any(String)] },
  ]);
  const { ok, text } = await printed({}, proofs);
  expect(ok).toBe(true);
  expect(text).toMatch(/^ {2}- {7}silent {2}running, not shown$/m);
  expect(text).toMatch(/^ {2}- {7}any {5}GET \S+ → 200 {2}answered; nothing shows that it runs$/m);
});
