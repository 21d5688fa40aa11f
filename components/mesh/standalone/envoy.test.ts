import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Route } from "../../config/route.ts";
import { withBackends } from "../../workloads/backend.ts";
import { demoInCluster } from "../../workloads/demo.ts";
import { targets } from "../targets.ts";
import { wasmFilter } from "../wasm-filter.ts";
import { listener } from "./envoy.ts";

const declared: Route[] = [
  { name: "one", path: "/one", workload: "httpbin", rewrite: true },
  { name: "deep", path: "/one/deep", workload: "echo", rewrite: true },
  { name: "dotted", path: "/v1.0", workload: "httpbin", rewrite: true },
];
const routes = withBackends(declared, demoInCluster("default"));

// biome-ignore lint/suspicious/noExplicitAny: the test walks through Envoy's JSON
const manager = (l: any) => l.filter_chains[0].filters[0].typed_config;
const make = (filters: Parameters<typeof listener>[0]["filters"]) =>
  manager(listener({ directory: "/x", port: 10000, routes, filters }));
const routeOf = (m: ReturnType<typeof manager>, name: string) =>
  m.route_config.virtual_hosts[0].routes.find((r: { name: string }) => r.name === name);

describe("the listener", () => {
  it("tries the longer path first, whatever the order of declaration", () => {
    const names = make([]).route_config.virtual_hosts[0].routes.map((r: { name: string }) => r.name);
    expect(names.indexOf("deep")).toBeLessThan(names.indexOf("one"));
  });

  it.each([
    ["one", "/one", "/"],
    ["one", "/one/", "/"],
    ["one", "/one/get", "/get"],
    ["dotted", "/v1.0/get", "/get"],
    ["dotted", "/v1x0/get", "/v1x0/get"], // its dot is a dot
  ])("route %s rewrites %s to %s", (name, path, rewritten) => {
    const { pattern, substitution } = routeOf(make([]), name).route.regex_rewrite;
    expect(path.replace(new RegExp(pattern.regex), substitution)).toBe(rewritten);
  });

  it("has every filter in its chain, off, and on for the routes that it targets", () => {
    const m = make([
      { name: "a", target: { route: "one" } },
      { name: "b", target: { workload: "httpbin" } },
      { name: "c", target: { gateway: true } },
    ]);
    expect(m.http_filters.map((f: { name: string; disabled?: boolean }) => [f.name, f.disabled])).toEqual([
      ["a", true],
      ["b", true],
      ["c", true],
      ["envoy.filters.http.router", undefined],
    ]);
    const on = (name: string) => Object.keys(routeOf(m, name).typed_per_filter_config);
    expect(on("one")).toEqual(["a", "b", "c"]);
    expect(on("deep")).toEqual(["c"]);
    expect(on("dotted")).toEqual(["b", "c"]);
  });
});

it("a target matches just what it names", () => {
  fc.assert(
    fc.property(fc.constantFrom(...routes), fc.constantFrom(...routes), (route, other) => {
      expect(targets({ route: route.name }, other)).toBe(route === other);
      expect(targets({ workload: route.backend.name }, other)).toBe(route.backend.name === other.backend.name);
      expect(targets({ gateway: true }, other)).toBe(true);
    }),
  );
});

describe("a Wasm filter", () => {
  const args = { name: "f", rootId: "r", digest: "d1", file: "/m/d1.wasm", failure: "open" } as const;
  const config = (a: Parameters<typeof wasmFilter>[0]) =>
    (wasmFilter(a).typed_config as { config: Record<string, unknown> & { vm_config: { vm_id: string } } }).config;

  it("has a VM of its own for each content and for each filter", () => {
    const ids = [args, { ...args, digest: "d2" }, { ...args, name: "g" }].map((a) => config(a).vm_config.vm_id);
    expect(new Set(ids).size).toBe(3);
  });

  it("keeps its VM when only the configuration changes", () => {
    expect(config({ ...args, configuration: "{}" }).vm_config).toEqual(config(args).vm_config);
  });

  it("has no configuration where none was given, which is not the same as an empty one", () => {
    expect(config(args)).not.toHaveProperty("configuration");
    expect(config({ ...args, configuration: "" })).toHaveProperty("configuration.value", "");
  });

  it.each([
    ["open", { fail_open: true }],
    ["close", { failure_policy: "FAIL_CLOSED" }],
    ["reload", { failure_policy: "FAIL_RELOAD" }],
  ] as const)("failure %s is %j", (failure, policy) => {
    expect(config({ ...args, failure })).toMatchObject(policy);
  });
});
