import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { parseConfig } from "../../config/config.ts";
import { evidence, type Listed, listMade, none, someCluster } from "../../testing/made.ts";
import { withBackends } from "../../workloads/backend.ts";
import { demoInCluster } from "../../workloads/demo.ts";
import { capabilities } from "./schema.ts";

const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";

/** What a resource has besides its inputs once it is made. */
const known = {
  "meshup:mesh:EnvoyGateway": none,
  "meshup:index:Filter": none,
  "meshup:index:Evidence": evidence,
  "meshup:index:Module": () => ({ sha256: digest, file: "/module.wasm", bytes: 1 }),
  "meshup:index:Preflight": () => ({ adds: { "x-a": "b" }, varies: [], notes: [], warnings: [], checked: true }),
  "meshup:index:ImageContext": () => ({ directory: "/context", sha256: "c" }),
  "meshup:kubernetes:PolicyReady": () => ({ acceptedGeneration: 1, proxies: [], warnings: [] }),
  "meshup:index:Proof": () => ({ status: 200, seen: {} }),
  "kubernetes:helm.sh/v3:Release": none,
  "kubernetes:gateway.networking.k8s.io/v1:GatewayClass": none,
  "kubernetes:gateway.networking.k8s.io/v1:Gateway": none,
  "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": none,
  "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy": none,
  "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyExtensionPolicy": none,
  "pulumi:providers:kubernetes": none,
};

const config = parseConfig(
  {
    cluster: "kind",
    mesh: "envoy-gateway",
    images: JSON.stringify({ "docker.io/envoyproxy/envoy": "mirror.example.com/envoy:v1" }),
    charts: JSON.stringify({ "gateway-helm": "/charts/gateway-helm.tgz" }),
    routes: JSON.stringify([
      { name: "one", path: "/one", workload: "httpbin" },
      { name: "www", path: "/get", host: "www.example.com", rewrite: false, workload: "httpbin" },
    ]),
    filters: JSON.stringify([
      { name: "first", module: "./filter", target: { route: "one" } },
      { name: "second", module: "./filter", target: { workload: "httpbin" }, failure: "open" },
    ]),
  },
  "dev",
);

let filters: unknown;
let ofKind: Listed["ofKind"];
let pushed: string[];

beforeAll(async () => {
  ({ ofKind } = await listMade(known));
  const { createFilters } = await import("../../filter/filter.ts");
  const { EnvoyGatewayMesh } = await import("./envoy-gateway.ts");
  const { cluster, pushed: images } = someCluster();
  const backends = demoInCluster("default");
  const routes = withBackends(config.routes, backends);
  const declared = await createFilters(config.filters, {
    capabilities,
    backends,
    routes,
    credentialsFor: () => undefined,
  });
  const mesh = new EnvoyGatewayMesh("mesh", { config, filters: declared, cluster, backends, routes });
  filters = await new Promise((resolve) =>
    pulumi.output(mesh.serve([]).filters).apply((all) => resolve(all as typeof filters)),
  );
  pushed = images.map(({ name }) => name);
});

test("Envoy Gateway comes by Release, from the configured chart, with Lua and its Wasm domain", () => {
  const [release] = ofKind("Release");
  expect(release?.inputs).toMatchObject({ chart: "/charts/gateway-helm.tgz", createNamespace: true });
  expect(release?.inputs.values).toMatchObject({
    kubernetesClusterDomain: "cluster.local",
    config: { envoyGateway: { extensionApis: { enableLua: true } } },
  });
});

test("the proxy has the configured image", () => {
  const { provider } = ofKind("EnvoyProxy")[0]?.inputs.spec ?? {};
  expect(provider.kubernetes.envoyDeployment.container.image).toBe("mirror.example.com/envoy:v1");
});

test("a module that two filters use is pushed once and loaded once, before any policy names it", () => {
  expect(pushed).toEqual(["filter"]);
  const policies = ofKind("EnvoyExtensionPolicy").map(({ name, inputs }) => [name, inputs.metadata.name]);
  expect(policies).toEqual([
    ["image-filter", "module-image-d905f08db4f153c8-filter"],
    ["route-one", "route-one"],
    ["route-www", "route-www"],
  ]);
});

test("each policy is awaited with its filters' digests", () => {
  const awaited = ofKind("PolicyReady").map(({ inputs }) => [
    inputs.name,
    inputs.filters,
    inputs.uid,
    inputs.generation,
  ]);
  const [first, second] = [
    { name: "first", digest, failure: "close" },
    { name: "second", digest, failure: "open" },
  ];
  expect(awaited).toEqual([
    [
      "module-image-d905f08db4f153c8-filter",
      [{ name: "module-image-d905f08db4f153c8-filter", digest, failure: "close" }],
      "uid-of-image-filter",
      1,
    ],
    ["route-one", [first, second], "uid-of-route-one", 1],
    ["route-www", [second], "uid-of-route-www", 1],
  ]);
});

test("each filter proves itself where it works, and is an output", () => {
  const image = `registry.localhost:5000/meshup/filter@sha256:${"9".repeat(64)}`;
  const request = { method: "GET", path: "", headers: {} };
  const common = {
    digest,
    request,
    delivery: "image",
    image,
    expect: { "x-a": "b" },
    url: "http://localhost:30000/one",
  };
  expect(filters).toEqual([
    { ...common, name: "first", headers: {} },
    { ...common, name: "second", headers: {} },
  ]);
  const proofs = ofKind("Proof").map(({ inputs }) => [inputs.filter, inputs.process]);
  expect(proofs).toEqual([
    ["first", "uid-of-route-one@1"],
    ["first, second", "uid-of-image-filter@1"],
    ["second", "uid-of-route-one@1 uid-of-route-www@1"],
  ]);
});
