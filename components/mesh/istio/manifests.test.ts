import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { crdProblems } from "../../../test/crds.ts";
import type { Route } from "../../config/route.ts";
import { configurationOf } from "../../filter/configuration.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import { type Backend, type BackendRoute, withBackends } from "../../workloads/backend.ts";
import { demoInCluster, deployed } from "../../workloads/demo.ts";
import { httpRoute } from "../http-route.ts";
import { apiGateway, gatewayOptions } from "./api-gateway.ts";
import { callouts, luaFilter, moduleFilter, scopeFilter } from "./envoy-filter.ts";
import { entry } from "./gateway.ts";
import { placementOf } from "./placement.ts";
import { gateway, virtualServices } from "./routing.ts";
import { destinationRule, serviceEntry, urlRef } from "./url.ts";
import { gatewayValues, istiodValues } from "./values.ts";
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

describe("a gateway of the Gateway API", () => {
  test("is named by its WasmPlugins: a selector does not reach it", () => {
    const made = plugin({ placement: place({ gateway: true }, "gateway-api") });
    const ref = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gateway" };
    expect(made.spec).toMatchObject({ targetRefs: [ref] });
    expect(made.spec).not.toHaveProperty("selector");
    expect(crdProblems(made)).toEqual([]);
  });

  test("its routes have istiod's names", () => {
    expect(place({ route: "one" }, "gateway-api").routes).toEqual(["default.one.0"]);
  });

  test("gets no balancer of istiod's", () => {
    expect(crdProblems(apiGateway())).toEqual([]);
    expect(parse(gatewayOptions({}).service ?? "").spec).toEqual({ type: "ClusterIP" });
  });

  test("takes another's place by the labels of its pods alone", () => {
    const [helm, api] = (["helm", "gateway-api"] as const).map((kind) => entry(place({ gateway: true }, kind), 30000));
    expect(helm).toMatchObject({
      metadata: { name: "entry", namespace: "istio-ingress" },
      spec: { type: "NodePort", selector: { istio: "ingressgateway" }, ports: [{ port: 80, nodePort: 30000 }] },
    });
    const selector = { "gateway.networking.k8s.io/gateway-name": "gateway" };
    expect(api).toEqual({ ...helm, spec: { ...helm?.spec, selector } });
  });

  test("takes the routes of the workloads' namespace", () => {
    const { metadata, spec } = apiGateway();
    const labels = { "kubernetes.io/metadata.name": "default" };
    expect(spec.listeners).toMatchObject([{ allowedRoutes: { namespaces: { selector: { matchLabels: labels } } } }]);
    const of = { name: "gateway", namespace: "istio-ingress" };
    expect(metadata).toEqual(of);
    const route = httpRoute(
      { name: "one", path: "/one", backend: deployed("httpbin", "default"), rewrite: true },
      { gateway: of, urlRef },
    );
    expect(crdProblems(route)).toEqual([]);
    expect(route.spec.parentRefs).toEqual([of]);
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

describe("routing", () => {
  const declared: Route[] = [
    { name: "one", path: "/one", workload: "httpbin", rewrite: true },
    { name: "deep", path: "/one/deep", workload: "echo", rewrite: true },
    { name: "www", path: "/get", host: "www.example.com", workload: "httpbin", rewrite: false },
  ];
  const routes = withBackends(declared, backends);

  test("the longer path first; a path is itself and what is below it", () => {
    const [any] = virtualServices(routes);
    const http = any?.spec.http as { name: string; match: unknown; rewrite?: unknown }[];
    expect(http.map(({ name }) => name)).toEqual(["deep", "one"]);
    expect(http[1]?.match).toEqual([{ uri: { exact: "/one" } }, { uri: { prefix: "/one/" } }]);
    expect(http[1]?.rewrite).toEqual({ uri: "/" });
  });

  test("a URL is led to by a name of the stack's own, with the Host and the path that it wants", () => {
    const at = {
      type: "url",
      host: "10.0.0.1",
      port: 8443,
      path: "/v1",
      authority: "api.example.com",
      http: 1,
    } as const;
    const to = (more: Partial<BackendRoute>) => {
      const route = { name: "api", path: "/a.b", rewrite: true, backend: { name: "api", at }, ...more };
      const [made] = virtualServices([route]);
      const [http] = (made?.spec.http ?? []) as { rewrite?: Record<string, { match: string; rewrite: string }> }[];
      return http;
    };
    expect(to({})).toMatchObject({
      route: [{ destination: { host: "api.url.meshup.invalid", port: { number: 8443 } } }],
      rewrite: { authority: "api.example.com" },
    });
    const { match = "", rewrite = "" } = to({})?.rewrite?.uriRegexRewrite ?? {};
    const rewritten = (path: string) => path.replace(new RegExp(match), rewrite.replace("\\1", "$1"));
    expect(["/a.b", "/a.b/", "/a.b/get"].map(rewritten)).toEqual(["/v1", "/v1/", "/v1/get"]);
    expect(to({ rewrite: false })?.rewrite).toEqual({ authority: "api.example.com" });
    expect(to({ path: "/" })).toMatchObject({ match: [{ uri: { prefix: "/" } }] });
  });

  test("a URL is a host of the mesh, whose proxies begin TLS and check the certificate's name", () => {
    const at = { type: "url", host: "api.example.com", port: 443, path: "", http: 1 } as const;
    expect(serviceEntry("api", at).spec).toEqual({
      hosts: ["api.url.meshup.invalid"],
      location: "MESH_EXTERNAL",
      ports: [{ number: 443, name: "http", protocol: "HTTP" }],
      resolution: "DNS",
      endpoints: [{ address: "api.example.com" }],
    });
    expect(serviceEntry("api", { ...at, host: "10.0.0.1", http: 2 }).spec).toMatchObject({
      ports: [{ protocol: "HTTP2" }],
      resolution: "STATIC",
    });
    const tls = { serverName: "api.example.com" };
    expect(destinationRule("api", { ...at, tls, http: "both" }).spec).toEqual({
      host: "api.url.meshup.invalid",
      trafficPolicy: {
        connectionPool: { http: { useClientProtocol: true } },
        tls: { mode: "SIMPLE", sni: "api.example.com", subjectAltNames: ["api.example.com"], caCertificates: "system" },
      },
    });
    expect(destinationRule("api", { ...at, tls }, "the-secret").spec).toMatchObject({
      trafficPolicy: { tls: { credentialName: "the-secret" } },
    });
    for (const http of [1, 2, "both"] as const)
      for (const secret of [undefined, "the-secret"])
        for (const one of [serviceEntry("api", { ...at, http }), destinationRule("api", { ...at, tls, http }, secret)])
          expect(crdProblems(one)).toEqual([]);
    expect(urlRef({ name: "api", at })).toEqual({
      group: "networking.istio.io",
      kind: "Hostname",
      name: "api.url.meshup.invalid",
      port: 443,
    });
  });

  test("a host of its own has its own routes only", () => {
    const [, www] = virtualServices(routes);
    expect(www?.spec).toMatchObject({ hosts: ["www.example.com"], http: [{ name: "www" }] });
    expect(JSON.stringify(www)).not.toContain("rewrite");
  });

  test("as Istio's schemas have them", () => {
    expect([gateway(), ...virtualServices(routes)].flatMap(crdProblems)).toEqual([]);
  });
});

describe("values", () => {
  const config = { logLevels: { wasm: "info" }, concurrency: 2, upstreamEnvoy: false } as const;

  test("log levels are Istio's own and the configured ones", () => {
    const { global } = istiodValues({ config: { ...config, logLevels: { wasm: "debug" } } });
    expect(global.proxy.componentLogLevel).toBe("misc:error,wasm:debug");
  });

  test("an upstream Envoy is off by default, and takes four settings", () => {
    expect(istiodValues({ config })).not.toHaveProperty("telemetry");
    expect(istiodValues({ config: { ...config, upstreamEnvoy: true } })).toMatchObject({
      env: { PILOT_ENABLE_METADATA_EXCHANGE: "false" },
      telemetry: { enabled: false },
    });
  });

  test("images of a mirror, for sidecars and what prepares them", () => {
    const { image, global } = istiodValues({ config, pilotImage: "mirror/pilot:1", proxyImage: "mirror/proxy:1" });
    expect([image, global.proxy, global.proxy_init]).toMatchObject([
      "mirror/pilot:1",
      { image: "mirror/proxy:1" },
      { image: "mirror/proxy:1" },
    ]);
  });

  test("the gateway's modules with the label of their pods", () => {
    expect(gatewayValues({ volumes: [{ filter: "add", configMap: "wasm-add-d9", digest }] })).toMatchObject({
      service: { type: "ClusterIP" },
      labels: { "module.meshup.dev/add": digest.slice(0, 16) },
      volumes: [{ name: "wasm-add", configMap: { name: "wasm-add-d9" } }],
      volumeMounts: [{ name: "wasm-add", mountPath: "/var/local/wasm/add" }],
    });
  });
});
