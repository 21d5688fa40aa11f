import { describe, expect, test } from "vitest";
import { parseConfig } from "../config/config.ts";

const route = { name: "one", path: "/one", workload: "httpbin" };
const filter = { name: "f", module: "./filter", target: { workload: "httpbin" } };

/** What is wrong with a filter on a mesh, without the headline; none: nothing. */
function problems(mesh: string, declared: object, more: Record<string, unknown> = {}): string[] {
  const values = {
    cluster: mesh === "standalone" ? "local" : "kind",
    mesh,
    routes: JSON.stringify([route]),
    filters: JSON.stringify([{ ...filter, ...declared }]),
    ...Object.fromEntries(Object.entries(more).map(([key, value]) => [key, JSON.stringify(value)])),
  };
  try {
    parseConfig(values, "test");
    return [];
  } catch (error) {
    return (error as Error).message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}

const script = { module: undefined, script: "./a.lua", expect: { a: "b" } };

describe("what a mesh can do", () => {
  test.each([
    ["standalone", {}],
    ["standalone", { failure: "reload" }],
    ["envoy-gateway", { delivery: "http", target: { gateway: true } }],
    ["envoy-gateway", script],
    ["istio", { failure: "reload", istio: { phase: "AUTHN", priority: -1, match: [{ ports: [80] }] } }],
    ["istio", { delivery: "configmap", config: "any text" }],
    ["istio", { delivery: "volume" }],
    ["istio", { config: '{"json": "object"}' }],
    ["istio", { target: { selector: { app: "mine" } }, expect: {} }],
    ["istio", { ...script, target: { route: "one" } }],
  ])("%s: %j", (mesh, declared) => {
    expect(problems(mesh, declared)).toEqual([]);
  });
});

describe("what a mesh cannot do is refused, with what it can", () => {
  test.each([
    ["standalone", { delivery: "image" }, "delivery: standalone cannot deliver by image; it can by file"],
    [
      "standalone",
      { target: { selector: { app: "a" } } },
      "target: standalone cannot deliver by file to a selector, only to a route, workload, gateway",
    ],
    ["standalone", { istio: { phase: "AUTHN" } }, "istio: means nothing to standalone"],
    [
      "envoy-gateway",
      { delivery: "volume" },
      "delivery: envoy-gateway cannot deliver by volume; it can by image, http, lua",
    ],
    ["envoy-gateway", { failure: "reload" }, "failure: envoy-gateway cannot reload; it can open, close"],
    [
      "istio",
      { delivery: "file" },
      "delivery: istio cannot deliver by file; it can by image, http, configmap, volume, lua",
    ],
    [
      "istio",
      { delivery: "volume", target: { gateway: true } },
      "target: istio cannot deliver by volume to a gateway, only to a workload; gateways are reached by image, http, configmap",
    ],
    [
      "istio",
      { delivery: "configmap", target: { selector: { app: "a" } } },
      "target: istio cannot deliver by configmap to a selector, only to a route, workload, gateway; selectors are reached by image, http",
    ],
    ["istio", { ...script, delivery: "image" }, "delivery: a script is delivered by lua"],
    ["istio", { delivery: "lua" }, "delivery: lua delivers a script, not a module"],
    [
      "istio",
      { config: "any text" },
      "config: a WasmPlugin's is an object; delivery configmap or volume takes any text",
    ],
    ["istio", { config: "[1]" }, "config: a WasmPlugin's is an object; delivery configmap or volume takes any text"],
    [
      "istio",
      { delivery: "configmap", istio: { priority: 1 } },
      "istio: goes with delivery image or http (a WasmPlugin), not with configmap",
    ],
  ])("%s: %j", (mesh, declared, message) => {
    expect(problems(mesh, declared)).toEqual([`meshup:filters[0].${message}`]);
  });

  test("a gateway of the Gateway API has no volumes of ours", () => {
    const declared = { delivery: "configmap", target: { route: "one" } };
    expect(problems("istio", declared)).toEqual([]);
    expect(problems("istio", declared, { istio: { gateway: "gateway-api" } })).toEqual([
      "meshup:filters[0].delivery: configmap reaches a gateway of Istio's chart only, not one of the Gateway API: image, http",
    ]);
  });
});
