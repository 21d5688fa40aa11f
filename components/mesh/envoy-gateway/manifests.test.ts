import { describe, expect, test } from "vitest";
import { crdProblems } from "../../../test/crds.ts";
import type { BackendRoute } from "../../workloads/backend.ts";
import { demoInCluster, deployed } from "../../workloads/demo.ts";
import { httpRoute as httpRouteOf } from "../http-route.ts";
import { fixedAddress } from "../manifest.ts";
import { envoyProxy, gateway, gatewayClass } from "./manifests.ts";

const httpRoute = (route: BackendRoute) => httpRouteOf(route, { name: "gateway" });
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
  });
  expect(httpRoute(route).spec).not.toHaveProperty("hostnames");
  const plain = { ...route, host: "www.example.com", rewrite: false };
  expect(rules(plain)).not.toHaveProperty("filters");
  expect(httpRoute(plain).spec.hostnames).toEqual(["www.example.com"]);
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
