import { describe, expect, test } from "vitest";
import { crdProblems } from "../../../test/crds.ts";
import type { Backend, BackendRoute, UrlAddress } from "../../workloads/backend.ts";
import { demoInCluster, deployed } from "../../workloads/demo.ts";
import { httpRoute as httpRouteOf, needGrants, referenceGrant } from "../http-route.ts";
import { fixedAddress } from "../manifest.ts";
import { envoyProxy, gateway, gatewayClass } from "./manifests.ts";
import { clientProtocolPolicy, urlBackend, urlRef } from "./url.ts";
import { helmValues } from "./values.ts";

const httpRoute = (route: BackendRoute) => httpRouteOf(route, { gateway: { name: "gateway" }, urlRef });
const exposure = { type: "nodePort", nodePort: 30000, url: "http://localhost:30000" } as const;
const config = { logLevels: { wasm: "info", upstream: "warning", lua: "off" }, concurrency: 2 } as const;
const route: BackendRoute = { name: "one", path: "/one", backend: deployed("httpbin", "default"), rewrite: true };
const backends = demoInCluster("default");

describe("the schemas of Envoy Gateway's chart", () => {
  test.each([
    ["GatewayClass", gatewayClass()],
    ["EnvoyProxy", envoyProxy({ image: "docker.io/envoyproxy/envoy:v1", exposure, backends, config })],
    ["EnvoyProxy of a cloud", envoyProxy({ exposure: { type: "loadBalancer" }, backends, config })],
    ["Gateway", gateway()],
    ["HTTPRoute", httpRoute(route)],
    ["HTTPRoute with a host", httpRoute({ ...route, host: "www.example.com", rewrite: false })],
  ])("%s is as they have it", (_, manifest) => {
    expect(crdProblems(manifest)).toEqual([]);
  });

  test("what they have not is found: an unknown field, a wrong value, one that is missing", () => {
    const wrong = (spec: object) => crdProblems({ ...gateway(), spec } as never);
    const { spec } = gateway();
    expect(wrong({ ...spec, gatewayclass: "x" })).toEqual([expect.stringContaining("gatewayclass")]);
    expect(wrong({ ...spec, listeners: [{ name: "http", protocol: "HTTP", port: 0 }] })).toHaveLength(1);
    expect(wrong({ listeners: spec.listeners })).toEqual([expect.stringContaining("gatewayClassName")]);
  });
});

test("a route: its path and all below it, the prefix rewritten; the host and the path as they are where that is said", () => {
  const rules = (r: BackendRoute) => (httpRoute(r).spec.rules as Record<string, unknown>[])[0];
  expect(rules(route)).toEqual({
    matches: [{ path: { type: "PathPrefix", value: "/one" } }],
    filters: [{ type: "URLRewrite", urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } } }],
    backendRefs: [{ name: "httpbin", port: 8000 }],
    timeouts: { request: "0s" },
  });
  expect(httpRoute(route).spec).not.toHaveProperty("hostnames");
  const plain = { ...route, host: "www.example.com", rewrite: false };
  expect(rules(plain)).not.toHaveProperty("filters");
  expect(httpRoute(plain).spec.hostnames).toEqual(["www.example.com"]);
});

test("routes of one path are kept apart by host, each as an object of its own", () => {
  const all = ["a.example.com", "b.example.com", undefined].map((host, i) =>
    httpRoute({ ...route, name: `r${i}`, path: "/", host }),
  );
  expect(all.map(({ metadata, spec }) => [metadata.name, spec.hostnames])).toEqual([
    ["r0", ["a.example.com"]],
    ["r1", ["b.example.com"]],
    ["r2", undefined],
  ]);
  expect(all.flatMap(crdProblems)).toEqual([]);
});

test("the proxy: log levels in Envoy Gateway's words, a fixed node port, and every workload as a cluster to call", () => {
  const { spec } = envoyProxy({ exposure, backends, config });
  expect(spec.logging).toEqual({ level: { default: "warn", wasm: "info", upstream: "warn", lua: "off" } });
  const { kubernetes } = spec.provider as { kubernetes: Record<string, Record<string, unknown>> };
  expect(kubernetes.envoyService).toEqual({
    type: "NodePort",
    externalTrafficPolicy: "Cluster",
    patch: { type: "StrategicMerge", value: { spec: { ports: [{ port: 80, nodePort: 30000 }] } } },
  });
  expect(kubernetes.envoyDeployment?.container).not.toHaveProperty("image");
  // Looked at each second, and with Envoy Gateway's own patience.
  const startupProbe = { periodSeconds: 1, failureThreshold: 300 };
  const containers = ["envoy", "shutdown-manager"].map((name) => ({ name, startupProbe }));
  expect(kubernetes.envoyDeployment?.patch).toMatchObject({ value: { spec: { template: { spec: { containers } } } } });
  const { value } = spec.bootstrap as { value: string };
  for (const name of ["httpbin", "httpbin-two", "echo", "bursting-metrics"]) {
    expect(value).toContain(`name: ${name}\n`);
    expect(value).toContain(`address: ${name}.default.svc.cluster.local`);
  }
});

test("an exposure without a fixed address is refused", () => {
  expect(fixedAddress("envoy-gateway", exposure)).toMatchObject({ nodePort: 30000, url: "http://localhost:30000" });
  expect(() => fixedAddress("istio", { type: "loadBalancer" })).toThrow(/istio.*meshup:cluster: kind/);
});

describe("a backend that is a URL", () => {
  const at: UrlAddress = {
    type: "url",
    host: "api.example.com",
    port: 443,
    path: "/v1",
    authority: "api.example.com:443",
    tls: { serverName: "api.example.com" },
    http: "both",
  };
  const backend: Backend = { name: "api", at };
  const rule = (route: Partial<BackendRoute>) =>
    (httpRoute({ name: "api", path: "/api", rewrite: true, backend, ...route }).spec.rules as object[])[0];

  test("is a Backend, which its route names; its Host and its path are put in", () => {
    expect(rule({})).toMatchObject({
      backendRefs: [{ group: "gateway.envoyproxy.io", kind: "Backend", name: "api" }],
      filters: [
        {
          type: "URLRewrite",
          urlRewrite: { hostname: "api.example.com", path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/v1" } },
        },
      ],
    });
    expect(rule({ rewrite: false })).toMatchObject({
      filters: [{ type: "URLRewrite", urlRewrite: { hostname: "api.example.com" } }],
    });
  });

  test.each(["10.0.0.1:3000", "[::1]:3000", undefined])(
    "has its Host left alone where that is no name: %s",
    (authority) => {
      const plain: Backend = { name: "api", at: { ...at, path: "", authority } };
      expect(rule({ backend: plain, rewrite: false })).not.toHaveProperty("filters");
    },
  );

  test.each([
    ["by name, with the system's authorities", at, undefined],
    ["with authorities of its own", { ...at, tls: { serverName: "a.b", authorities: "PEM" } }, "api-ca"],
    ["by IPv4 address, in plain text", { ...at, host: "10.0.0.1", tls: undefined, http: 2 as const }, undefined],
    ["by IPv6 address", { ...at, host: "fd00::1", tls: undefined, http: 1 as const }, undefined],
  ])("%s is as the chart's schema has it", (_, at, authorities) => {
    const made = urlBackend("api", at, authorities);
    expect(crdProblems(made)).toEqual([]);
    expect(crdProblems(httpRoute({ name: "api", path: "/api", rewrite: true, backend: { name: "api", at } }))).toEqual(
      [],
    );
  });

  test("is spoken to as the client speaks, where it speaks both", () => {
    expect(crdProblems(clientProtocolPolicy(["one", "two"], "api"))).toEqual([]);
  });

  test("Envoy Gateway lets routes out of the cluster only where there is one", () => {
    const apis = (urls: boolean) => helmValues("image", urls).config.envoyGateway.extensionApis;
    expect(apis(false)).toEqual({ enableLua: true });
    expect(apis(true)).toEqual({ enableLua: true, enableBackend: true });
  });
});

describe("a Service of another namespace", () => {
  const at = { type: "service", namespace: "shop", service: "cart", port: 80, http: 1 } as const;
  const backend: Backend = { name: "cart", at };
  const cart: BackendRoute = { name: "cart", path: "/cart", rewrite: true, backend };

  test("is named with it, and needs a grant there, once", () => {
    const [rule] = httpRoute(cart).spec.rules as object[];
    expect(rule).toMatchObject({ backendRefs: [{ name: "cart", namespace: "shop", port: 80 }] });
    expect(needGrants([route, cart, { ...cart, name: "again" }])).toEqual([backend]);
    const grant = referenceGrant(backend);
    expect(crdProblems(grant)).toEqual([]);
    expect(grant).toMatchObject({
      metadata: { namespace: "shop" },
      spec: { from: [{ kind: "HTTPRoute", namespace: "default" }], to: [{ kind: "Service", name: "cart" }] },
    });
  });
});
