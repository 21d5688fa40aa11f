import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { crdProblems } from "../../../test/crds.ts";
import type { Route } from "../../config/route.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import { type BackendRoute, withBackends } from "../../workloads/backend.ts";
import { demoInCluster, deployed } from "../../workloads/demo.ts";
import { httpRoute } from "../http-route.ts";
import { apiGateway, gatewayOptions } from "./api-gateway.ts";
import { entry } from "./gateway.ts";
import { placementOf } from "./placement.ts";
import { gateway, virtualServices } from "./routing.ts";
import { destinationRule, serviceEntry, urlRef } from "./url.ts";
import { gatewayValues, istiodValues } from "./values.ts";

const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";
const backends = demoInCluster("default");
const place = (target: FilterTarget, kind: "helm" | "gateway-api") =>
  placementOf(target, kind, { backends, routes: [] });

describe("a gateway of the Gateway API", () => {
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

  test("routes of one path are kept apart by host", () => {
    const [one, deep, www] = routes.map((route) => ({ ...route, path: "/" })) as [
      BackendRoute,
      BackendRoute,
      BackendRoute,
    ];
    const made = virtualServices([one, { ...deep, host: "a.example.com" }, www]);
    expect(made).toMatchObject([
      { metadata: { name: "routes" }, spec: { hosts: ["*"], http: [{ name: "one" }] } },
      { metadata: { name: "a.example.com" }, spec: { hosts: ["a.example.com"], http: [{ name: "deep" }] } },
      { metadata: { name: "www.example.com" }, spec: { hosts: ["www.example.com"], http: [{ name: "www" }] } },
    ]);
    expect(made.flatMap(crdProblems)).toEqual([]);
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
