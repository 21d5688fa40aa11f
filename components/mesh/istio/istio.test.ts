import * as pulumi from "@pulumi/pulumi";
import { beforeAll, expect, test } from "vitest";
import { crdProblems } from "../../../test/crds.ts";
import { parseConfig } from "../../config/config.ts";
import { evidence, type Listed, listMade, type Made, manifestDigest, none, someCluster } from "../../testing/made.ts";
import { withBackends } from "../../workloads/backend.ts";
import { demoInCluster } from "../../workloads/demo.ts";
import { deployment } from "../../workloads/kubernetes/pod.ts";
import type { FilterOutput } from "../filter-output.ts";
import type { Sidecars } from "../mesh.ts";
import { capabilities, withSettings } from "./schema.ts";

const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";
/** What a resource has besides its inputs once it is made. */
const known = {
  "meshup:mesh:Istio": none,
  "meshup:mesh:ModuleServer": none,
  "meshup:istio:ControlPlane": none,
  "meshup:istio:HelmGateway": none,
  "meshup:workloads:ServiceCode": none,
  "meshup:index:Filter": none,
  "meshup:index:Evidence": evidence,
  "meshup:index:Module": () => ({ sha256: digest, file: import.meta.filename, bytes: 1 }),
  "meshup:index:Preflight": () => ({ adds: { "x-a": "b" }, varies: [], notes: [], warnings: [], checked: true }),
  "meshup:index:ImageContext": () => ({ directory: "/context", sha256: "c" }),
  "meshup:kubernetes:FilterReady": () => ({ proxies: [], warnings: [] }),
  "meshup:index:Proof": () => ({ status: 200, seen: {} }),
  "kubernetes:core/v1:ConfigMap": none,
  "kubernetes:core/v1:Namespace": none,
  "kubernetes:core/v1:NamespacePatch": none,
  "kubernetes:core/v1:Secret": none,
  "kubernetes:core/v1:Service": none,
  "kubernetes:core/v1:ServiceAccount": none,
  "kubernetes:apps/v1:Deployment": none,
  "meshup:local:Bundle": () => ({ file: import.meta.filename, sha256: "b" }),
  "kubernetes:helm.sh/v3:Release": none,
  "kubernetes:extensions.istio.io/v1alpha1:WasmPlugin": none,
  "kubernetes:networking.istio.io/v1alpha3:EnvoyFilter": none,
  "kubernetes:networking.istio.io/v1:Gateway": none,
  "kubernetes:networking.istio.io/v1:VirtualService": none,
  "pulumi:providers:kubernetes": none,
};

const filter = (name: string, more: object) => ({ name, module: "./filter", ...more });
const config = parseConfig(
  {
    cluster: "kind",
    mesh: "istio",
    charts: JSON.stringify({ istiod: "/charts/istiod.tgz" }),
    images: JSON.stringify({ "registry.istio.io/release/proxyv2": "mirror.example.com/proxyv2" }),
    routes: JSON.stringify([{ name: "one", path: "/one", workload: "httpbin" }]),
    filters: JSON.stringify([
      filter("by-image", { target: { workload: "httpbin" }, config: { "x-a": "b" } }),
      filter("on-route", { target: { route: "one" }, failure: "open" }),
      filter("mounted", { target: { workload: "httpbin" }, delivery: "configmap" }),
      filter("annotated", { target: { workload: "httpbin" }, delivery: "volume" }),
      filter("by-http", { target: { route: "one" }, delivery: "http" }),
      filter("by-http-too", { target: { route: "one" }, delivery: "http", module: "filter" }),
      filter("other-by-http", { target: { route: "one" }, delivery: "http", module: "bench/filter/arms/bare" }),
      filter("in-gateway", { target: { gateway: true }, delivery: "configmap" }),
    ]),
  },
  "dev-istio",
);

let attached: FilterOutput[];
let sidecars: Sidecars;

let made: Made[];
let ofKind: Listed["ofKind"];
let one: Listed["one"];

beforeAll(async () => {
  ({ made, ofKind, one } = await listMade(known, "dev-istio"));
  const { createFilters } = await import("../../filter/filter.ts");
  const { IstioMesh } = await import("./istio.ts");
  const credentials = { registry: "registry.localhost:5000", username: "me", password: "secret" };
  const { cluster } = someCluster(credentials);
  const backends = demoInCluster("default");
  const routes = withBackends(config.routes, backends);
  const declared = await createFilters(config.filters, {
    capabilities,
    backends,
    routes,
    credentialsFor: () => undefined,
  });
  const mesh = new IstioMesh("mesh", { config: withSettings(config), filters: declared, cluster, backends, routes });
  sidecars = mesh.sidecars;
  attached = await new Promise((resolve) =>
    pulumi.output(mesh.serve([]).filters).apply((all) => resolve(all as typeof attached)),
  );
});

test("base, istiod and gateway come by Release, from where the configuration says", () => {
  expect(ofKind("Release").map(({ name, inputs }) => [name, inputs.namespace, inputs.chart])).toEqual([
    ["istio-base", "istio-system", "base"],
    ["istio-ingressgateway", "istio-ingress", "gateway"],
    ["istiod", "istio-system", "/charts/istiod.tgz"],
  ]);
  expect(one("Release", "istiod").values.global.proxy.image).toBe("mirror.example.com/proxyv2:1.31.1");
  expect(one("Release", "istio-base").repositoryOpts.repo).toMatch(/^https:/);
});

test("one node port, which leads to the gateway's pods", () => {
  expect(ofKind("Service").filter(({ inputs }) => inputs.spec.type === "NodePort")).toHaveLength(1);
  expect(one("Service", "entry").spec).toMatchObject({
    ports: [{ nodePort: 30000 }],
    selector: { istio: "ingressgateway" },
  });
  expect(one("Release", "istio-ingressgateway").values.service.type).toBe("ClusterIP");
  const order = made.map(({ type, name }) => `${type.split(":").at(-1)} ${name}`);
  const before = ["Release istio-ingressgateway", "VirtualService routes"].map((one) => order.indexOf(one));
  for (const place of before) expect(place).toBeGreaterThan(-1);
  expect(order.indexOf("Service entry")).toBeGreaterThan(Math.max(...before));
});

test("new pods of the workloads' namespace get sidecars", () => {
  expect(one("NamespacePatch", "injection").metadata).toEqual({
    name: "default",
    labels: { "istio-injection": "enabled" },
  });
});

test("a WasmPlugin for each filter that is fetched; an image with the pull secret of its own namespace", () => {
  expect(ofKind("WasmPlugin").map(({ name, inputs }) => [name, inputs.metadata.namespace])).toEqual([
    ["by-http", "istio-ingress"],
    ["by-http-too", "istio-ingress"],
    ["by-image", "default"],
    ["on-route", "istio-ingress"],
    ["other-by-http", "istio-ingress"],
  ]);
  const secrets: Record<string, string> = {
    default: "registry-auto",
    "istio-ingress": "registry-gateway-auto",
  };
  for (const { name, inputs } of ofKind("WasmPlugin")) {
    expect(crdProblems(inputs)).toEqual([]);
    if (name.includes("by-http")) continue;
    expect(inputs.spec).toMatchObject({
      url: `oci://registry.localhost:5000/meshup/filter@${manifestDigest}`,
      imagePullSecret: secrets[inputs.metadata.namespace],
    });
  }
  expect(ofKind("Secret").map(({ inputs }) => inputs.metadata.namespace)).toEqual(["default", "istio-ingress"]);
});

test("a route's WasmPlugin is scoped by an EnvoyFilter", () => {
  expect(JSON.stringify(one("EnvoyFilter", "on-route.routes"))).toContain(
    "extensions.istio.io/trafficextension/istio-ingress.on-route~istio-translated-wasmplugin",
  );
});

test("modules in ConfigMaps where the proxies are; another module is another ConfigMap and EnvoyFilter", () => {
  const maps = ofKind("ConfigMap").filter(({ name }) => name.startsWith("wasm-"));
  expect(maps.map(({ name, inputs }) => [name, inputs.metadata.namespace])).toEqual([
    ["wasm-annotated", "default"],
    ["wasm-in-gateway", "istio-ingress"],
    ["wasm-mounted", "default"],
  ]);
  for (const { inputs } of maps) expect(Object.keys(inputs.binaryData)).toEqual([`${digest}.wasm`]);
  for (const made of [...maps, ...["mounted", "annotated"].map((name) => ({ inputs: one("EnvoyFilter", name) }))])
    expect(made.inputs.metadata.name).toBeUndefined();
  expect(one("Release", "istio-ingressgateway").values.volumes).toMatchObject([{ name: "wasm-in-gateway" }]);
});

test("a module by http is on a server of its own name, one for all filters of it; a changed one is another server", () => {
  expect(ofKind("Deployment").map(({ name }) => name)).toEqual(["bench-filter-arms-bare", "filter"]);
  for (const module of ["bench-filter-arms-bare", "filter"]) {
    const map = one("ConfigMap", `module-${module}`);
    expect(Object.keys(map.binaryData)).toEqual([`${digest}.wasm`]);
    expect([map.metadata.name, map.immutable]).toEqual([undefined, true]);
    const name = `module-${module}-auto`;
    for (const kind of ["ServiceAccount", "Deployment", "Service"])
      expect(one(kind, module).metadata, kind).toMatchObject({ name, namespace: "default" });
    const pod = one("Deployment", module).spec.template;
    expect(pod.spec.volumes).toContainEqual({ name: "module", configMap: { name } });
    expect(pod.metadata.labels).toMatchObject({ app: name, "sidecar.istio.io/inject": "false" });
  }
  const url = (module: string) => `http://module-${module}-auto.default.svc.cluster.local:8000/${digest}.wasm`;
  expect(one("WasmPlugin", "by-http").spec).toMatchObject({ url: url("filter"), sha256: digest });
  expect(one("WasmPlugin", "by-http-too").spec.url).toBe(url("filter"));
  expect(one("WasmPlugin", "other-by-http").spec.url).toBe(url("bench-filter-arms-bare"));
});

test("a workload's pods have its modules, and nobody else's", async () => {
  const plain = (name: string) =>
    deployment({ name, namespace: "default", image: "i", requests: { cpu: "1m", memory: "1Mi" }, memoryLimit: "1Mi" });
  const equipped = await new Promise<string>((resolve) =>
    pulumi.output(sidecars.equip("httpbin", plain("httpbin"))).apply((made) => resolve(JSON.stringify(made))),
  );
  expect(equipped).toContain('"image":"auto"');
  expect(equipped).toContain("sidecar.istio.io/userVolume");
  expect(equipped).toContain("wasm-mounted");
  expect(equipped).not.toContain("in-gateway");
  const echo = JSON.stringify(sidecars.equip("echo", plain("echo")));
  expect(echo).toContain("meshup.dev/proxy-settings");
  expect(echo).not.toContain("wasm");
});

test("proxies are asked for the code as they know it: an image by its manifestDigest, a file by its module", () => {
  const digests = Object.fromEntries(ofKind("FilterReady").map(({ name, inputs }) => [name, inputs.digest]));
  expect(digests).toEqual({
    "by-http": digest,
    "by-http-too": digest,
    "by-image": "9".repeat(64),
    "on-route": "9".repeat(64),
    "other-by-http": digest,
    mounted: digest,
    annotated: digest,
    "in-gateway": digest,
  });
});

test("each filter is proved on a route that it works on", () => {
  expect(attached.map(({ name, delivery, url }) => [name, delivery, url]).sort()).toEqual([
    ["annotated", "volume", "http://localhost:30000/one"],
    ["by-http", "http", "http://localhost:30000/one"],
    ["by-http-too", "http", "http://localhost:30000/one"],
    ["by-image", "image", "http://localhost:30000/one"],
    ["in-gateway", "configmap", "http://localhost:30000/one"],
    ["mounted", "configmap", "http://localhost:30000/one"],
    ["on-route", "image", "http://localhost:30000/one"],
    ["other-by-http", "http", "http://localhost:30000/one"],
  ]);
});
