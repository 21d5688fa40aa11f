import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { Steps } from "../../../lib/steps.ts";
import { byName, inspector, runsDigest } from "./inspect.ts";

const entry = (name: string, filename: string) => ({
  last_updated: "2026-01-01T00:00:00Z",
  ecds_filter: { name, typed_config: { config: { vm_config: { code: { local: { filename } } } } } },
});

test("tells whether the very module runs", () => {
  const filters = byName([entry("a", "/m/abc.wasm"), {}]);
  expect([...filters.keys()]).toEqual(["a"]);
  expect(runsDigest(filters.get("a"), "abc")).toBe(true);
  expect(runsDigest(filters.get("a"), "bc")).toBe(false);
  expect(runsDigest(filters.get("b"), "abc")).toBe(false);
  expect(runsDigest({ name: "x", typedConfig: null }, "abc")).toBe(false);
});

const filter = (name: string, digest: string) => ({ name, digest, delivery: "file" as const, expect: {} });

/** A running Envoy with these filters. */
async function envoy(...configs: object[]): Promise<{ admin: string }> {
  const server = createServer((_, response) => response.end(JSON.stringify({ configs }))).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await new Promise((resolve) => server.once("listening", resolve));
  return { admin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test("asks the Envoy that the output names", async () => {
  const proxies = await envoy(entry("a", "/m/abc.wasm"), entry("b", "/m/abc.wasm"));
  const mesh = { proxies, filters: [filter("a", "abc"), filter("b", "0")] };
  expect(await inspector.running(mesh)).toEqual([
    { filter: "a", digest: "abc", running: true },
    { filter: "b", digest: "0", running: false },
  ]);
  const steps = new Steps();
  await inspector.diagnose(mesh, steps.check);
  expect(steps.all.map(({ name, ok, detail }) => `${ok} ${name}: ${detail}`)).toEqual([
    "true module of a: sha256:abc",
    "true request for a: no route leads to it",
    "false module of b: Envoy has another module",
    "true request for b: no route leads to it",
  ]);
  expect(await inspector.dump(mesh)).toMatchObject([{ name: "a", note: "since 2026-01-01T00:00:00Z" }, { name: "b" }]);
});

test("an Envoy that does not answer, and an output that names none", async () => {
  const filters = [filter("a", "abc")];
  await expect(inspector.running({ proxies: { admin: "http://127.0.0.1:1" }, filters })).rejects.toThrow(
    /does not answer as it should.*npm run status/,
  );
  await expect(inspector.running({ proxies: undefined, filters })).rejects.toThrow(/output `proxies`.*npm start/);
});
