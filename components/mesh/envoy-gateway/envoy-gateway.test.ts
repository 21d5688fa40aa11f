import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import type { Cluster } from "../../cluster/cluster.ts";
import { parseConfig } from "../../config/config.ts";
import { withBackends } from "../../workloads/backend.ts";
import { demoInCluster } from "../../workloads/demo.ts";
import { capabilities } from "./schema.ts";

interface Made {
  type: string;
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a resource is made with is its own
  inputs: any;
}
const made: Made[] = [];
const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";

/** As the provider decides it of a filter that something shows. */
// biome-ignore lint/suspicious/noExplicitAny: what a resource is made with is its own
const evidenceOf = ({ subject, expect, found }: any) => ({ attached: subject, expected: expect ?? found.adds });

/** What a resource has besides its inputs once it is made. */
const outputs: Record<string, object> = {
  "meshup:index:Module": { sha256: digest, file: "/module.wasm", bytes: 1 },
  "meshup:index:Preflight": { adds: { "x-a": "b" }, varies: [], notes: [], warnings: [], checked: true },
  "meshup:index:ImageContext": { directory: "/context", sha256: "c" },
  "meshup:kubernetes:PolicyReady": { acceptedGeneration: 1, proxies: [], warnings: [] },
  "meshup:index:Proof": { status: 200, seen: {} },
  "kubernetes:helm.sh/v3:Release": {},
  "kubernetes:gateway.networking.k8s.io/v1:GatewayClass": {},
  "kubernetes:gateway.networking.k8s.io/v1:Gateway": {},
  "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": {},
  "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy": {},
  "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyExtensionPolicy": {},
  "pulumi:providers:kubernetes": {},
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
const pushed: string[] = [];

beforeAll(async () => {
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        made.push({ type, name, inputs });
        if (/^meshup:(mesh|index:Filter)/.test(type)) return { id: name, state: inputs };
        const own = type === "meshup:index:Evidence" ? evidenceOf(inputs) : outputs[type];
        if (!own) throw new Error(`nobody said that there is a ${type}`);
        const metadata = inputs.metadata && { ...inputs.metadata, uid: `uid-of-${name}`, generation: 1 };
        return { id: name, state: { ...inputs, ...(metadata && { metadata }), ...own } };
      },
      call: ({ token }) => {
        throw new Error(`nobody said that ${token} is called`);
      },
    },
    "meshup",
    "dev",
  );
  const { createFilters } = await import("../../filter/filter.ts");
  const { EnvoyGatewayMesh } = await import("./envoy-gateway.ts");
  const cluster: Cluster = {
    provider: new kubernetes.Provider("kind", {}),
    kubeconfig: pulumi.output("/kubeconfig"),
    exposure: { type: "nodePort", nodePort: 30000, url: "http://localhost:30000" },
    registry: {
      address: "registry.localhost:5000",
      push: (name) => {
        pushed.push(name);
        const repository = `registry.localhost:5000/meshup/${name}`;
        const manifest = `sha256:${"9".repeat(64)}`;
        return {
          repository: pulumi.output(repository),
          digest: pulumi.output(manifest),
          reference: pulumi.output(`${repository}@${manifest}`),
          pushed: pulumi.output(""),
        };
      },
    },
  };
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
});

/** By name: the order in which resources are made is Pulumi's own. */
const ofKind = (kind: string) =>
  made.filter(({ type }) => type.endsWith(`:${kind}`)).sort((a, b) => a.name.localeCompare(b.name));

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
