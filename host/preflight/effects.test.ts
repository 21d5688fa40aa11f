/** What the host finds of filters as people write them, for the request that is to show them. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileUsual, type UsualFilter } from "../../test/usual-filters.ts";
import { preflight } from "./preflight.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "effects-"));
});
afterAll(() => rm(folder, { recursive: true }));

const plain = { method: "GET", path: "/one", authority: "localhost", headers: {} };

async function effects(filter: UsualFilter, request: Partial<typeof plain & { body: string }> = {}) {
  const { file } = await compileUsual(folder, filter);
  const { warnings, logs, ...found } = await preflight({ wasm: file, request: { ...plain, ...request } });
  return found;
}

const uuid = /^[0-9a-f]{8}-/;

test.each<[UsualFilter, object]>([
  ["nothing", { adds: {} }],
  ["greeting", { adds: { "x-greeting": "Grüße" } }],
  ["request-id", { adds: { "x-request-id": expect.stringMatching(uuid) }, varies: ["x-request-id"] }],
  ["counter", { adds: { "x-count": "1", "x-fixed": "1" }, varies: ["x-count"] }],
  ["time-stamp", { adds: { "x-day": expect.stringMatching(/^\d+$/) }, varies: ["x-day"] }],
  ["now-and-then", { adds: {} }],
  ["api-key", { adds: {}, status: 401, notes: ["it answers by itself, with 401"] }],
  ["redirect", { adds: { location: "https://example.com/" }, status: 302 }],
  ["request-header", { adds: {}, notes: ["it changes the request: x-user"] }],
  ["path-rewrite", { adds: {}, notes: ["it changes the request: its path"] }],
  ["body-rewrite", { adds: {}, notes: ["it changes the response's body"] }],
])("%s", async (filter, found) => {
  expect(await effects(filter)).toEqual(found);
});

test("the very request goes through it", async () => {
  const request = { method: "POST", path: "/one/get?x=1", headers: { "x-mine": "żółw" }, body: "text" };
  expect((await effects("echo-of-request", request)).adds).toEqual({ "x-saw": "POST /one/get?x=1 żółw" });
  expect((await effects("api-key", { headers: { "x-api-key": "open" } })).status).toBeUndefined();
});

test("HEAD has no body, and that breaks nothing", async () => {
  expect(await effects("greeting", { method: "HEAD" })).toEqual({ adds: { "x-greeting": "Grüße" } });
});

test.each<[UsualFilter, RegExp]>([
  ["content-length", /a response go on with content-length: 5 and a body of 3 bytes/],
  [
    "body-rewrite-in-pieces",
    /content-length: 3 and a body of 9 bytes: where a filter changes a body, it has to remove/,
  ],
])("%s is refused: every response would break off", async (filter, says) => {
  await expect(effects(filter)).rejects.toThrow(says);
});
