import { beforeAll, describe, expect, test } from "vitest";
import { FilterTrap, PluginRefused } from "../abi/errors.ts";
import { compileProbe } from "../fixtures/compile.ts";
import { Clock } from "../hostcalls/clock.ts";
import type { ClusterRequest } from "../hostcalls/clusters.ts";
import { SharedState } from "../hostcalls/shared.ts";
import { Plugin, type PluginOptions } from "./plugin.ts";

let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await compileProbe();
});

const load = (configuration: string, options: Partial<PluginOptions> = {}) =>
  Plugin.load({ wasm, configuration, now: 1_000_000, ...options });

const said = (plugin: Plugin) => plugin.logs.map(({ message }) => message);

describe("start and configuration", () => {
  test("the VM's configuration is given to proxy_on_vm_start", () => {
    expect(load("", { vmConfiguration: "fine" }).trap).toBeUndefined();
    expect(() => load("", { vmConfiguration: "false" })).toThrow(
      new PluginRefused("Failed to start base Wasm plugin: proxy_on_vm_start returned false"),
    );
    expect(() => load("", { vmConfiguration: "trap" })).toThrow("proxy_on_vm_start trapped: unreachable");
  });

  test("a configuration that the module does not take is a refusal; what it said is logged", () => {
    const lines: string[] = [];
    const onLog = ({ level, message }: { level: string; message: string }) => void lines.push(`${level} ${message}`);
    expect(() => load("false-configure", { onLog })).toThrow(PluginRefused);
    expect(lines).toEqual(["error the configuration is no good: line 1"]);
  });

  test("a trap tells the callback, what the module said, and its stack", () => {
    let trap: FilterTrap | undefined;
    try {
      load("trap-configure");
    } catch (error) {
      trap = error as FilterTrap;
    }
    expect(trap).toBeInstanceOf(FilterTrap);
    expect(trap?.callback).toBe("proxy_on_configure");
    expect(trap?.reason).toMatch(/^no such thing at: probe\.ts\(\d+:\d+\)$/);
    expect(trap?.wasmStack[0]).toMatch(/^probe\/proxy_on_configure \(wasm-function\[\d+\] at 0x[0-9a-f]+\)$/);
  });

  test("a file will do for the module; one that is not there is the caller's mistake", () => {
    expect(() => Plugin.load({ wasm: "/does/not/exist.wasm" })).toThrow("ENOENT");
  });
});

describe("logs", () => {
  test("the level is Envoy's default, an unknown one is a bad argument", () => {
    expect(load("log-levels").logs.map(({ level, message, at }) => [level, message, at])).toEqual([
      ["info", "level 2", 1_000_000],
      ["warn", "level 3", 1_000_000],
      ["error", "level 4", 1_000_000],
      ["critical", "level 5", 1_000_000],
    ]);
  });

  test("another level", () => {
    expect(load("log-levels", { logLevel: "trace" }).logs).toHaveLength(6);
    expect(load("log-levels", { logLevel: "critical" }).logs).toHaveLength(1);
  });
});

test("properties of the plugin, and what the caller says there is", () => {
  const plugin = load("root-properties", {
    pluginName: "n",
    rootId: "r",
    vmId: "v",
    properties: { node: { id: "abc" } },
  });
  expect(said(plugin)[0]).toMatch(/^n\|r\|v\|abc\|status 1\|status 1\|/);
});

test("metrics are counted by name", () => {
  const plugin = load("metrics");
  expect(said(plugin)).toEqual([
    "define 0: 0 4",
    "define 1: 0 5",
    "define 2: 0 6",
    "define 3: 2 6",
    "inc: 0 2 2",
    "record: 0 0 0 2",
    "get: 0 5 2 1",
  ]);
  expect(Object.fromEntries(plugin.metrics)).toEqual({
    m0: { type: "counter", value: 5n },
    m1: { type: "gauge", value: 7n },
    m2: { type: "histogram", values: [9n, 11n] },
  });
});

test("an unknown foreign function is not found", () => {
  expect(said(load("stdout"))).toEqual(["from stdout", "fd_write: 0 12 8", "foreign: 1"]);
});

describe("the timer", () => {
  test("ticks when the clock gets there, and not before", () => {
    const plugin = load("tick");
    plugin.advance(999);
    expect(said(plugin)).toEqual([]);
    plugin.advance(1);
    expect(said(plugin)).toEqual(["tick at 1001000000000"]);
    plugin.advance(2500);
    expect(said(plugin)).toEqual(["tick at 1001000000000", "tick at 1002000000000", "tick at 1003000000000"]);
    expect(plugin.clock.now).toBe(1_003_500);
  });

  test("tick() moves to the next tick; without a timer there is none", () => {
    const plugin = load("tick");
    expect(plugin.tickPeriod).toBe(1000);
    expect(plugin.tick()).toBe(true);
    expect(said(plugin)).toHaveLength(1);
    expect(load("add").tick()).toBe(false);
  });

  test("a period of 0 ends it", () => {
    const plugin = load("tick-once");
    plugin.advance(10_000);
    expect(said(plugin)).toEqual(["once"]);
    expect(plugin.tick()).toBe(false);
  });

  test("a trap in a tick kills the VM: no further tick", () => {
    const plugin = load("tick-trap");
    plugin.advance(10_000);
    expect(plugin.trap?.callback).toBe("proxy_on_tick");
    expect(plugin.calls.entries.proxy_on_tick).toBe(1);
  });
});

describe("calls to clusters", () => {
  test("the cluster sees the call, the module the answer", () => {
    const seen: ClusterRequest[] = [];
    const other = (request: ClusterRequest) => {
      seen.push(request);
      return { status: 201, body: `load ${seen.length}`, trailers: { t: "1" } };
    };
    const plugin = load("poll", { clusters: { other } });
    plugin.tick();
    plugin.tick();
    expect(said(plugin)).toEqual(["call: 0 4", "answer 4: 201 load 1 1 ", "call: 0 8", "answer 8: 201 load 2 1 "]);
    const call = { cluster: "other", method: "GET", path: "/load", authority: "other", body: "", headers: {} };
    expect(seen[0]).toEqual({ ...call, timeoutMs: 500 });
  });

  test("an unknown cluster is a bad argument", () => {
    const plugin = load("poll");
    plugin.tick();
    expect(said(plugin)).toEqual(["call: 2 0"]);
  });

  test("nobody listening is Envoy's 503, a broken connection no response at all", () => {
    const [down, broken] = (["down", "reset"] as const).map((other) => load("poll", { clusters: { other } }));
    down?.tick();
    expect(said(down as Plugin)[1]).toMatch(
      /^answer 4: 503 upstream connect error or disconnect\/reset before headers/,
    );
    broken?.tick();
    expect(said(broken as Plugin)[1]).toBe("answer 4: none  0 11 reset");
  });

  test("an answer that is late is Envoy's 504 at the timeout, and nothing after it", () => {
    for (const other of ["silent", { body: "late", delayMs: 600 }] as const) {
      const plugin = load("poll", { clusters: { other } });
      plugin.advance(1499);
      expect(said(plugin)).toEqual(["call: 0 4"]);
      plugin.advance(1);
      expect(said(plugin)).toEqual(["call: 0 4", "answer 4: 504 upstream request timeout 0 "]);
      plugin.advance(400);
      expect(said(plugin)).toHaveLength(2);
    }
  });

  test("an answer takes its time; without a timeout silence lasts for ever", () => {
    const plugin = load("poll", { clusters: { other: { body: "slow", delayMs: 300 } } });
    plugin.advance(1299);
    expect(said(plugin)).toHaveLength(1);
    plugin.advance(1);
    expect(said(plugin)[1]).toBe("answer 4: 200 slow 0 ");
    const forever = load("poll-forever", { unknownClusters: "silent" });
    forever.advance(1_000_000);
    expect(said(forever).filter((line) => line.startsWith("answer"))).toEqual([]);
  });
});

describe("what plugins share", () => {
  test("data with a version, kept apart by vm_id", () => {
    const [shared, clock] = [new SharedState(), new Clock(0)];
    const [one, two, stranger] = ["a", "a", "b"].map((vmId) => load("shared", { shared, clock, vmId }));
    clock.advance(1000);
    expect(said(one as Plugin)).toEqual(["get 1  set 0 stale 8"]);
    expect(said(two as Plugin)).toEqual(["get 0 1 set 0 stale 8"]);
    expect(said(stranger as Plugin)).toEqual(["get 1  set 0 stale 8"]);
    const value = one?.sharedData.get("key");
    expect(Buffer.from(value?.value ?? []).toString()).toBe("0");
    expect(value?.cas).toBeGreaterThan(0);
    expect(two?.sharedData.get("key")).toEqual(value);
  });

  test("a queue tells its owner of each item", () => {
    const plugin = load("queue");
    plugin.tick();
    expect(said(plugin)).toEqual(["unknown: 1 1", "ready true: 0 key then 7"]);
  });
});

describe("what goes over the border is counted", () => {
  test("calls in both directions, and what the host had allocated", () => {
    const plugin = load("add");
    plugin.stream().exchange();
    const { calls, changedBytes, grownBytes } = plugin.measure(() => plugin.stream().exchange());
    expect(calls).toEqual({
      entries: {
        proxy_on_context_create: 1,
        proxy_on_request_headers: 1,
        proxy_on_response_headers: 1,
        proxy_on_log: 1,
        proxy_on_done: 1,
        proxy_on_delete: 1,
      },
      hostCalls: { proxy_replace_header_map_value: 1 },
      allocations: 0,
      allocatedBytes: 0,
    });
    // It encodes the header anew for each request, on a heap that never shrinks.
    expect(changedBytes).toBeGreaterThan(0);
    expect(grownBytes).toBe(0);
  });

  test("a request that leaves the module alone changes nothing in it", () => {
    const plugin = load("nothing");
    expect(plugin.measure(() => plugin.stream().exchange()).changedBytes).toBe(0);
  });

  test("memory that grows", () => {
    const plugin = load("add");
    const { grownBytes } = plugin.measure(() => {
      for (let i = 0; i < 3000; i++) plugin.stream().exchange();
    });
    expect(grownBytes).toBeGreaterThan(0);
  });
});

describe("close", () => {
  test("the root context is told and deleted", () => {
    const plugin = load("lifecycle");
    plugin.close();
    expect(said(plugin)).toEqual(["done 1", "delete 1"]);
  });

  test("it may ask for time", () => {
    const plugin = load("wait-for-done");
    plugin.close();
    expect(plugin.calls.entries.proxy_on_delete).toBeUndefined();
    plugin.advance(1);
    expect(plugin.calls.entries.proxy_on_delete).toBe(1);
  });
});
