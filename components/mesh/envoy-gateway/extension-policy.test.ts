import { describe, expect, test } from "vitest";
import { crdProblems } from "../../../test/crds.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import { deployed } from "../../workloads/demo.ts";
import { extensionPolicy, type PolicyFilter, planPolicies, preload } from "./extension-policy.ts";

const routes = [
  { name: "one", backend: deployed("httpbin", "default") },
  { name: "two", backend: deployed("httpbin-two", "default") },
  { name: "headers", backend: deployed("httpbin", "default") },
] as const;
const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";
const manifestDigest = `sha256:${"9".repeat(64)}`;
const image = {
  type: "image",
  reference: `registry.localhost:5000/meshup/f@${manifestDigest}`,
  digest: manifestDigest,
} as const;
const filter: PolicyFilter = {
  name: "add",
  rootId: "add_header_root",
  configuration: '{"x-a":"b"}',
  failure: "close",
  code: image,
};

describe("plans", () => {
  const plan = (...filters: [string, FilterTarget][]) =>
    planPolicies(
      [...routes],
      filters.map(([name, target]) => ({ name, target })),
    ).map(({ name, filters, inUse }) => [name, filters.map((f) => f.name).join(" "), inUse]);

  test("one policy for each target, filters in their declared order", () => {
    expect(plan(["b", { route: "two" }], ["a", { route: "one" }], ["c", { route: "two" }])).toEqual([
      ["route-one", "a", true],
      ["route-two", "b c", true],
    ]);
  });

  test("a workload's filter is on all of its routes", () => {
    expect(plan(["a", { workload: "httpbin" }])).toEqual([
      ["route-one", "a", true],
      ["route-headers", "a", true],
    ]);
  });

  test("a route's policy replaces the Gateway's, so that it has the Gateway's filters too", () => {
    expect(plan(["a", { route: "one" }], ["all", { gateway: true }], ["b", { route: "one" }])).toEqual([
      ["gateway", "all", true],
      ["route-one", "a all b", true],
    ]);
  });

  test("the Gateway's policy is in use nowhere where each route has its own", () => {
    const own = routes.map(({ name }): [string, FilterTarget] => [name, { route: name }]);
    expect(plan(["all", { gateway: true }], ...own)[0]).toEqual(["gateway", "all", false]);
  });

  test("no filters, no policies", () => {
    expect(plan()).toEqual([]);
  });

  test("more filters on a target than Envoy Gateway takes: every such target is named", () => {
    const many = Array.from({ length: 17 }, (_, i): [string, FilterTarget] => [`f${i}`, { workload: "httpbin" }]);
    expect(() => plan(...many)).toThrow(/16 filters.*\n.*HTTPRoute one has 17\n.*HTTPRoute headers has 17/);
    expect(plan(...many.slice(1))).toHaveLength(2);
  });
});

describe("policies", () => {
  const target = { kind: "HTTPRoute", name: "one" } as const;
  const policy = (...filters: PolicyFilter[]) => extensionPolicy({ name: "route-one", target, filters });
  const wasm = (one: PolicyFilter) => (policy(one).spec.wasm as Record<string, unknown>[])[0];

  test("a module from an image: by digest, with the manifest's sha256", () => {
    expect(policy(filter).spec).toEqual({
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: "one" }],
      wasm: [
        {
          name: "add",
          rootID: "add_header_root",
          failOpen: false,
          config: { "x-a": "b" },
          code: { type: "Image", image: { url: image.reference, sha256: "9".repeat(64) } },
        },
      ],
    });
  });

  test("a pull secret, an address, a failure policy, no configuration", () => {
    expect(wasm({ ...filter, code: { ...image, pullSecret: "registry" } })).toHaveProperty(
      "code.image.pullSecretRef.name",
      "registry",
    );
    const url = `http://modules.default.svc.cluster.local:8000/${digest}.wasm`;
    expect(wasm({ ...filter, code: { type: "http", url, sha256: digest } })).toHaveProperty("code", {
      type: "HTTP",
      http: { url, sha256: digest },
    });
    expect(wasm({ ...filter, failure: "open" })).toHaveProperty("failOpen", true);
    expect(wasm({ ...filter, configuration: undefined })).not.toHaveProperty("config");
  });

  test("modules and scripts in one policy", () => {
    const script = "function envoy_on_response(h) end";
    const mixed = policy(filter, { ...filter, name: "script", code: { type: "lua", script } });
    expect(mixed.spec.wasm).toHaveLength(1);
    expect(mixed.spec.lua).toEqual([{ type: "Inline", inline: script }]);
    expect(crdProblems(mixed)).toEqual([]);
  });

  test.each([
    ["image", policy({ ...filter, code: { ...image, pullSecret: "registry" } })],
    ["http", policy({ ...filter, code: { type: "http", url: "http://modules:8000/a.wasm", sha256: digest } })],
    ["lua", policy({ ...filter, code: { type: "lua", script: "x" } })],
    ["preload", preload(filter, { module: "filter", digest }).policy],
    ["preload's route", preload(filter, { module: "filter", digest }).route],
  ])("%s is as the chart's schema has it", (_, manifest) => {
    expect(crdProblems(manifest)).toEqual([]);
  });
});

test("a preload: named by the digest, on a route of its own that the proxy answers, with the filter's failure policy", () => {
  const { name, host, route, policy } = preload(filter, { module: "filter", digest });
  expect(name).toBe("module-image-d905f08db4f153c8-filter");
  expect(host).toBe(`${name}.meshup.invalid`);
  expect(route.spec.hostnames).toEqual([host]);
  expect(route.spec.rules).toEqual([expect.not.objectContaining({ backendRefs: expect.anything() })]);
  expect(policy.spec).toMatchObject({
    targetRefs: [{ kind: "HTTPRoute", name }],
    wasm: [{ name, failOpen: false, rootID: "add_header_root", config: { "x-a": "b" } }],
  });
});

test("a preload's name is a host name's label, whatever the module is called", () => {
  const { name } = preload(filter, { module: `a-${"-very-long-path".repeat(9)}`, digest });
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
});
