// The project's filter as it is built: its size, and what a request costs, in the host in Node.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SharedState } from "../../host/hostcalls/shared.ts";
import { Plugin, type PluginOptions } from "../../host/plugin/plugin.ts";
import { buildModule } from "../build.ts";
import { resolveModule } from "../source.ts";

let scratch: string;
let wasm: Uint8Array;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "meshup-filter-"));
  const { path } = await buildModule(await resolveModule("filter"), scratch);
  wasm = await readFile(path);
});

afterAll(() => rm(scratch, { recursive: true }));

const addHeader = (config: Record<string, string>, options: Partial<PluginOptions> = {}) =>
  Plugin.load({ wasm, rootId: "add_header_root", configuration: JSON.stringify(config), ...options });

const loadFeedback = (options: Partial<PluginOptions> = {}) =>
  Plugin.load({
    wasm,
    rootId: "load_feedback_root",
    configuration: JSON.stringify({ cluster: "load", path: "/now", interval_ms: 100 }),
    clusters: { load: { body: "busy" } },
    now: 0,
    ...options,
  });

const headersOf = (plugin: Plugin) => plugin.stream().exchange().response?.headers;

test("it has at most 10 kB", () => {
  expect(wasm.length).toBeLessThanOrEqual(10_000);
});

describe("a request", () => {
  const nothing = { entries: {}, hostCalls: {}, allocations: 0, allocatedBytes: 0 };
  const manyHeaders = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`x-${i}`, `value ${i}`]));

  test.for([
    ["one header", 1, () => addHeader({ "x-wasm-custom": "FOO" })],
    ["twenty headers", 20, () => addHeader(manyHeaders)],
    ["polled figures", 1, () => polled()],
  ] as const)("enters the module once and calls the host once for each header: %s", ([, count, load]) => {
    const plugin = load();
    expect(Object.keys(headersOf(plugin) ?? {})).toHaveLength(count);
    const one = plugin.measure(() => plugin.stream().exchange().response);
    expect(one.calls).toEqual({
      ...nothing,
      entries: { proxy_on_response_headers: 1 },
      hostCalls: { proxy_replace_header_map_value: count },
    });
    // Not a byte of its memory is another than before: a block that had been allocated would be one that is in use.
    expect([one.changedBytes, one.grownBytes]).toEqual([0, 0]);
  });

  test("costs nothing where there is no header", () => {
    const plugin = addHeader({});
    const { calls } = plugin.measure(() => plugin.stream().exchange());
    expect(calls).toEqual({ ...nothing, entries: { proxy_on_response_headers: 1 } });
  });

  test("costs the same however many streams are open", () => {
    const plugin = addHeader({ "x-wasm-custom": "FOO" });
    const open = Array.from({ length: 1000 }, () => plugin.stream());
    const { calls, changedBytes, grownBytes } = plugin.measure(() => {
      for (const stream of open) stream.exchange();
    });
    expect(calls).toEqual({
      ...nothing,
      entries: { proxy_on_response_headers: 1000 },
      hostCalls: { proxy_replace_header_map_value: 1000 },
    });
    expect([changedBytes, grownBytes]).toEqual([0, 0]);
  });

  function polled() {
    const plugin = loadFeedback();
    plugin.advance(500);
    return plugin;
  }
});

describe("memory stays as it is", () => {
  test("over a hundred thousand ticks and polls", () => {
    let polls = 0;
    const plugin = loadFeedback({ clusters: { load: () => ({ body: `poll ${"#".repeat(++polls % 100)}` }) } });
    plugin.advance(10_000);
    const { grownBytes, calls } = plugin.measure(() => {
      for (let i = 0; i < 100; i++) plugin.advance(100_000);
    });
    expect(calls.entries.proxy_on_tick).toBeGreaterThanOrEqual(100_000);
    expect(calls.entries.proxy_on_http_call_response).toBeGreaterThanOrEqual(100_000);
    expect(grownBytes).toBe(0);
    expect(plugin.memoryBytes).toBe(65_536);
    expect(headersOf(plugin)).toEqual({ "x-load-feedback": expect.stringMatching(/^poll #*$/) });
  });

  test("over failures of every kind", () => {
    let polls = 0;
    const answers = ["down", "reset", { status: 500, body: "x".repeat(300) }, { body: "" }, { body: "a\nb" }] as const;
    const load = () => answers[polls++ % answers.length] ?? "down";
    const plugin = loadFeedback({ clusters: { load } });
    plugin.advance(10_000);
    expect(plugin.measure(() => plugin.advance(1_000_000)).grownBytes).toBe(0);
    expect(plugin.memoryBytes).toBe(65_536);
  });

  test("when a large configuration makes way for a small one", () => {
    const large = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`x-${i}`, "v".repeat(100)]));
    let plugin = addHeader({ "x-a": "1" });
    let bytes = 0;
    for (let round = 0; round < 6; round++) {
      for (const config of [large, { "x-a": "1" }]) {
        const next = addHeader(config, { beside: plugin });
        plugin.close();
        plugin = next;
      }
      if (round === 2) bytes = plugin.memoryBytes;
    }
    expect(headersOf(plugin)).toEqual({ "x-a": "1" });
    expect(plugin.memoryBytes).toBe(bytes);
  });
});

describe("filters that share a VM", () => {
  const pair = () => {
    const one = addHeader({ "x-one": "1" }, { pluginName: "one" });
    const two = addHeader({ "x-two": "2" }, { pluginName: "two", beside: one });
    return [one, two] as const;
  };

  test("each has its own configuration", () => {
    const [one, two] = pair();
    for (let i = 0; i < 1000; i++) {
      expect(headersOf(one)).toEqual({ "x-one": "1" });
      expect(headersOf(two)).toEqual({ "x-two": "2" });
    }
  });

  test("of one name, the root id tells them apart", () => {
    const one = addHeader({ "x-one": "1" }, { clusters: { load: { body: "busy" } } });
    const two = loadFeedback({ beside: one, clusters: { load: { body: "busy" } } });
    two.advance(500);
    expect(headersOf(one)).toEqual({ "x-one": "1" });
    expect(headersOf(two)).toEqual({ "x-load-feedback": "busy" });
  });

  test("their requests leave nothing behind either", () => {
    const [one, two] = pair();
    const { grownBytes } = one.measure(() => {
      for (let i = 0; i < 10_000; i++) {
        one.stream().exchange();
        two.stream().exchange();
      }
    });
    expect(grownBytes).toBe(0);
  });

  test("the one that is left is alone again", () => {
    const [one, two] = pair();
    one.close();
    for (let i = 0; i < 300; i++) expect(headersOf(two)).toEqual({ "x-two": "2" });
    expect(two.measure(() => two.stream().exchange()).calls.hostCalls).toEqual({ proxy_replace_header_map_value: 1 });
  });

  test("a refused one leaves the other as it is", () => {
    const one = addHeader({ "x-one": "1" }, { pluginName: "one" });
    expect(() => addHeader({ "x two": "2" }, { pluginName: "two", beside: one })).toThrow("returned false");
    expect(headersOf(one)).toEqual({ "x-one": "1" });
  });
});

describe("a filter whose configuration changes within its VM", () => {
  test("has the new one for streams that begin then, the old one for those before", () => {
    const before = addHeader({ "x-version": "1" });
    const underWay = before.stream();
    const after = addHeader({ "x-version": "2" }, { beside: before });
    expect(underWay.exchange().response?.headers).toEqual({ "x-version": "1" });
    underWay.close();
    expect(headersOf(after)).toEqual({ "x-version": "2" });
    before.close();
    expect(headersOf(after)).toEqual({ "x-version": "2" });
    const { calls } = after.measure(() => after.stream().exchange());
    expect(calls.hostCalls).toEqual({ proxy_replace_header_map_value: 1 });
  });

  test("keeps the old one when the proxy takes the new one back", () => {
    const before = addHeader({ "x-version": "1" });
    addHeader({ "x-version": "2" }, { beside: before }).close();
    expect(headersOf(before)).toEqual({ "x-version": "1" });
    expect(headersOf(before)).toEqual({ "x-version": "1" });
  });

  test("goes on polling for the one that is left", () => {
    const shared = new SharedState();
    const before = loadFeedback({ shared });
    const after = loadFeedback({ beside: before, clusters: { load: { body: "busy" } } });
    before.close();
    after.advance(500);
    expect(headersOf(after)).toEqual({ "x-load-feedback": "busy" });
    after.advance(60_000);
    expect(headersOf(after)).toEqual({ "x-load-feedback": "busy" });
  });
});
