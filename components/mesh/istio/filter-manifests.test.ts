import { describe, expect, test } from "vitest";
import { crdProblems } from "../../../test/crds.ts";
import { configurationOf } from "../../filter/configuration.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import type { Backend, BackendRoute } from "../../workloads/backend.ts";
import { demoInCluster } from "../../workloads/demo.ts";
import { callouts, luaFilter, moduleFilter, scopeFilter } from "./envoy-filter.ts";
import { placementOf } from "./placement.ts";
import { envoyFilterName, type WasmPluginArgs, wasmPlugin } from "./wasm-plugin.ts";

const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";
const image = { type: "image", reference: `registry.localhost:5000/meshup/f@sha256:${digest}`, digest } as const;
const backends = demoInCluster("default");
const place = (target: FilterTarget, kind: "helm" | "gateway-api") =>
  placementOf(target, kind, { backends, routes: [] });
const plugin = (more: Partial<WasmPluginArgs> = {}) =>
  wasmPlugin({
    name: "add",
    placement: place({ workload: "httpbin" }, "helm"),
    code: image,
    rootId: "add_header_root",
    configuration: configurationOf({ "x-a": "b" }),
    failure: "close",
    ...more,
  });

describe("where a filter works", () => {
  test("a workload's in its sidecars, the gateway's in the gateway, a route's there on that route alone", () => {
    expect(place({ workload: "echo" }, "helm")).toEqual({
      namespace: "default",
      selector: { app: "echo" },
      proxies: "sidecars",
    });
    const gateway = { namespace: "istio-ingress", selector: { istio: "ingressgateway" }, proxies: "gateway" };
    expect(place({ gateway: true }, "helm")).toEqual(gateway);
    expect(place({ route: "one" }, "helm")).toEqual({ ...gateway, routes: ["one"] });
    expect(place({ selector: { app: "mine" } }, "helm").selector).toEqual({ app: "mine" });
  });

  test("a Service's in its pods, by the labels that select them; without sidecars in the gateway, on its routes", () => {
    const at = { type: "service", namespace: "shop", service: "cart", port: 80, http: 1 } as const;
    const selector = { app: "cart-v2" };
    const cart = (containers: string[]): Backend => {
      return { name: "cart", at, pods: { namespace: "shop", selector, labels: selector, containers } };
    };
    const url: Backend = { name: "api", at: { type: "url", host: "a.b", port: 80, path: "", http: 1 } };
    const to = (name: string, backend: Backend): BackendRoute => ({ name, path: `/${name}`, rewrite: true, backend });
    const routesTo = (backend: Backend) => [to("one", backend), to("two", backend), to("other", url)];
    const inMesh = cart(["cart", "istio-proxy"]);
    expect(placementOf({ workload: "cart" }, "helm", { backends: [inMesh], routes: routesTo(inMesh) })).toEqual({
      namespace: "shop",
      selector,
      proxies: "sidecars",
    });
    const bare = cart(["cart"]);
    expect(placementOf({ workload: "cart" }, "helm", { backends: [bare], routes: routesTo(bare) })).toEqual({
      namespace: "istio-ingress",
      selector: { istio: "ingressgateway" },
      proxies: "gateway",
      routes: ["one", "two"],
    });
    expect(placementOf({ workload: "api" }, "gateway-api", { backends: [url], routes: routesTo(bare) })).toMatchObject({
      proxies: "gateway",
      routes: ["default.other.0"],
    });
  });
});

describe("a WasmPlugin", () => {
  test("names the image by digest, the root id and the configuration, for what the workload is asked", () => {
    expect(plugin().spec).toEqual({
      selector: { matchLabels: { app: "httpbin" } },
      url: `oci://registry.localhost:5000/meshup/f@sha256:${digest}`,
      imagePullPolicy: "IfNotPresent",
      pluginName: "add_header_root",
      pluginConfig: { "x-a": "b" },
      failStrategy: "FAIL_CLOSE",
      match: [{ mode: "SERVER" }],
      vmConfig: { env: [{ name: "MESHUP_FILTER", value: "add" }] },
    });
  });

  test("by HTTP, with the module's own sha256", () => {
    const { spec } = plugin({ code: { type: "http", url: "http://modules.default/a.wasm", sha256: digest } });
    expect(spec).toMatchObject({ url: "http://modules.default/a.wasm", sha256: digest });
    expect(spec).not.toHaveProperty("imagePullPolicy");
  });

  test.each([
    ["open", "FAIL_OPEN"],
    ["close", "FAIL_CLOSE"],
    ["reload", "FAIL_RELOAD"],
  ] as const)("failure: %s", (failure, failStrategy) => {
    expect(plugin({ failure }).spec).toMatchObject({ failStrategy });
  });

  test("takes phase, priority and match as they are declared, and a pull secret", () => {
    const istio = { phase: "AUTHZ", priority: 7, match: [{ mode: "CLIENT", ports: [80, 443] }] } as const;
    const secret = { ...image, pullSecret: "meshup-registry" };
    const made = plugin({ istio: { ...istio, match: [{ mode: "CLIENT", ports: [80, 443] }] }, code: secret });
    expect(made.spec).toMatchObject({
      phase: "AUTHZ",
      priority: 7,
      match: [{ mode: "CLIENT", ports: [{ number: 80 }, { number: 443 }] }],
      imagePullSecret: "meshup-registry",
    });
    expect(crdProblems(made)).toEqual([]);
  });

  test("in the gateway it has no match: a gateway is a client", () => {
    const made = plugin({ placement: place({ gateway: true }, "helm") });
    expect(made.metadata.namespace).toBe("istio-ingress");
    expect(made.spec).not.toHaveProperty("match");
    expect(crdProblems(made)).toEqual([]);
  });

  test.each(["text", "[1]", '"a"', "3"])("refuses a configuration that is no JSON object: %s", (configuration) => {
    expect(() => plugin({ configuration: configurationOf(configuration) })).toThrow(
      /filter "add": a WasmPlugin's configuration is a JSON object/,
    );
  });

  test("without root id and configuration it has neither", () => {
    const { spec } = plugin({ rootId: "", configuration: undefined });
    expect(Object.keys(spec)).not.toContain("pluginName");
    expect(Object.keys(spec)).not.toContain("pluginConfig");
  });

  test("names a gateway of the Gateway API, which a selector does not reach", () => {
    const made = plugin({ placement: place({ gateway: true }, "gateway-api") });
    const ref = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gateway" };
    expect(made.spec).toMatchObject({ targetRefs: [ref] });
    expect(made.spec).not.toHaveProperty("selector");
    expect(crdProblems(made)).toEqual([]);
  });
});

describe("EnvoyFilters", () => {
  const module = {
    name: "add",
    rootId: "r",
    digest,
    file: `/var/local/wasm/add/${digest}.wasm`,
    failure: "open",
  } as const;
  const label = { name: "module.meshup.dev/add", value: "d905" };

  test("a module in files reaches only the pods that have that very module", () => {
    const made = moduleFilter({ ...module, placement: place({ workload: "echo" }, "helm") }, label);
    expect(made.metadata.name).toBeUndefined(); // another module's stands beside it
    expect(made.spec).toMatchObject({
      workloadSelector: { labels: { app: "echo", "module.meshup.dev/add": "d905" } },
      configPatches: [{ applyTo: "HTTP_FILTER", match: { context: "SIDECAR_INBOUND" } }],
    });
    expect(JSON.stringify(made)).toContain(`"filename":"/var/local/wasm/add/${digest}.wasm"`);
    expect(crdProblems(made)).toEqual([]);
  });

  test("a route's is off, and on for that route", () => {
    const made = moduleFilter({ ...module, placement: place({ route: "one" }, "helm") }, label);
    const [insert, route] = made.spec.configPatches as { patch: { value: { disabled?: boolean } } }[];
    expect(insert?.patch.value.disabled).toBe(true);
    expect(route).toMatchObject({
      applyTo: "HTTP_ROUTE",
      match: { context: "GATEWAY", routeConfiguration: { vhost: { route: { name: "one" } } } },
      patch: { value: { typed_per_filter_config: { add: {} } } },
    });
    expect(crdProblems(made)).toEqual([]);
  });

  test("a script goes inline", () => {
    const made = luaFilter({
      name: "hello",
      placement: place({ gateway: true }, "helm"),
      script: "function f() end",
    });
    expect(JSON.stringify(made)).toContain('"inline_string":"function f() end"');
    expect(crdProblems(made)).toEqual([]);
  });

  test("a WasmPlugin's filter is replaced by itself, switched off", () => {
    const envoyName = envoyFilterName({ name: "add", namespace: "istio-ingress" });
    const made = scopeFilter({ name: "add", envoyName, placement: place({ route: "one" }, "helm") });
    const [replace] = made.spec.configPatches as { match: unknown; patch: { value: unknown } }[];
    expect(replace?.patch).toMatchObject({ operation: "REPLACE", value: { name: envoyName, disabled: true } });
    expect(JSON.stringify(replace?.match)).toContain(`"subFilter":{"name":"${envoyName}"}`);
    expect(crdProblems(made)).toEqual([]);
  });

  test("of a filter for all routes nothing is switched off", () => {
    const envoyName = envoyFilterName({ name: "add", namespace: "istio-ingress" });
    const made = scopeFilter({ name: "add", envoyName, placement: place({ gateway: true }, "helm") });
    expect(made.spec.configPatches).toMatchObject([{ patch: { value: { disabled: false } } }]);
  });

  test("every workload is a cluster for calls, in all proxies", () => {
    const made = callouts(backends);
    expect(made.metadata.namespace).toBe("istio-system");
    expect(made.spec).not.toHaveProperty("workloadSelector");
    expect(JSON.stringify(made)).toContain("bursting-metrics.default.svc.cluster.local");
    expect(crdProblems(made)).toEqual([]);
  });
});
