/** The stack `dev` as a whole, as Pulumi is asked for it: by the very program and its committed configuration. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { parse } from "yaml";
import main from "../index.ts";
import { root } from "../lib/paths.ts";
import { script } from "../provider/testing/scratch.ts";
import { freePort } from "../test/ports.ts";

interface Made {
  type: string;
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a resource is made with is its own
  inputs: any;
  provider: string | undefined;
}
const made: Made[] = [];
// biome-ignore lint/suspicious/noExplicitAny: the program's outputs are of any shape
let outputs: any;
let scratch: string;

const digest = "a".repeat(64);
const manifest = `sha256:${"9".repeat(64)}`;

/** What a resource has besides its inputs once it is made. A type that is not here is an error. */
const known: Record<string, (inputs: Record<string, unknown>) => object> = {
  "pulumi:pulumi:Stack": () => ({}),
  "pulumi:providers:kubernetes": () => ({}),
  "pulumi:providers:docker": () => ({}),
  "meshup:index:Filter": () => ({}),
  "meshup:cluster:Kind": () => ({}),
  "meshup:registry:Local": () => ({}),
  "meshup:workloads:Cluster": () => ({}),
  "meshup:workloads:ServiceCode": () => ({}),
  "meshup:mesh:EnvoyGateway": () => ({}),
  "meshup:index:Module": () => ({ sha256: digest, file: "/module.wasm", bytes: 1 }),
  "meshup:index:Preflight": () => ({ adds: { "x-a": "b" }, varies: [], notes: [], warnings: [], checked: true }),
  "meshup:index:ImageContext": () => ({ directory: "/context", sha256: "c" }),
  "meshup:index:Evidence": ({ subject, expect, found }) => ({
    attached: subject,
    expected: expect ?? (found as { adds: object }).adds,
  }),
  "meshup:index:Proof": () => ({ status: 200, seen: {} }),
  "meshup:kubernetes:PolicyReady": () => ({ acceptedGeneration: 1, proxies: [], warnings: [] }),
  "meshup:local:Bundle": ({ entry }) => {
    const file = join(scratch, String(entry).replaceAll("/", "-"));
    writeFileSync(file, `bundle of ${entry}`);
    return { sha256: digest, file };
  },
  "meshup:kind:Node": () => ({ generation: "g1", environment: {} }),
  "command:local:Command": () => ({ stdout: "the-kubeconfig", stderr: "" }),
  "docker:index/remoteImage:RemoteImage": () => ({ imageId: "sha256:image" }),
  "docker:index/container:Container": () => ({}),
  "docker:index/image:Image": () => ({ repoDigest: `127.0.0.1:5001/meshup/filter@${manifest}` }),
  "kubernetes:helm.sh/v3:Release": () => ({}),
  "kubernetes:core/v1:ConfigMap": () => ({}),
  "kubernetes:core/v1:Service": () => ({}),
  "kubernetes:core/v1:ServiceAccount": () => ({}),
  "kubernetes:apps/v1:Deployment": () => ({}),
  "kubernetes:autoscaling/v2:HorizontalPodAutoscaler": () => ({}),
  "kubernetes:rbac.authorization.k8s.io/v1:Role": () => ({}),
  "kubernetes:rbac.authorization.k8s.io/v1:RoleBinding": () => ({}),
  "kubernetes:gateway.networking.k8s.io/v1:GatewayClass": () => ({}),
  "kubernetes:gateway.networking.k8s.io/v1:Gateway": () => ({}),
  "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute": () => ({}),
  "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyProxy": () => ({}),
  "kubernetes:gateway.envoyproxy.io/v1alpha1:EnvoyExtensionPolicy": () => ({}),
};

/** The mocks know no hooks: those of registry and push are seen with the real engine. */
const register = (_request: unknown, done: (error: null, response: object) => void) => done(null, {});
Object.assign(MockMonitor.prototype, { registerResourceHook: register, registerErrorHook: register });

/** A machine with Docker and kind, and nothing made with them. */
function machine(): void {
  script(join(scratch, "docker"), `case "$*" in *inspect*) echo '[]';; *) :;; esac`);
  script(join(scratch, "kind"), "echo 0.33.0");
  vi.stubEnv("PATH", `${scratch}:/usr/bin:/bin`);
  vi.stubEnv("DOCKER_HOST", "unix:///d.sock");
  vi.stubEnv("MESHUP_OVERRIDES", "");
}

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "meshup-stack-"));
  machine();
  const { config } = parse(readFileSync(join(root, "Pulumi.dev.yaml"), "utf8")) as { config: Record<string, unknown> };
  config["meshup:kind"] = { gatewayPort: 32_123, registryPort: await freePort() };
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        const own = known[type];
        if (!own) throw new Error(`the mock knows no resource type ${type}`);
        made.push({ type, name, inputs, provider });
        const metadata = inputs.metadata && { ...inputs.metadata, uid: `uid-of-${name}`, generation: 1 };
        return { id: name, state: { ...inputs, ...(metadata && { metadata }), ...own(inputs) } };
      },
      call: ({ token }) => {
        throw new Error(`the mock knows no function ${token}`);
      },
    },
    "meshup",
    "dev",
  );
  pulumi.runtime.setAllConfig(
    Object.fromEntries(Object.entries(config).map(([key, v]) => [key, typeof v === "string" ? v : JSON.stringify(v)])),
  );
  await pulumi.runtime.runInPulumiStack(async () => {
    const values = await main();
    outputs = await new Promise((resolve) => void pulumi.output(values).apply(resolve));
    return values;
  });
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(scratch, { recursive: true });
});

const names = (kind: string) =>
  made
    .filter(({ type }) => type.endsWith(`:${kind}`))
    .map(({ name }) => name)
    .sort();

test("one cluster, one registry, one image, two charts", () => {
  expect(names("Command")).toEqual(["kind"]);
  expect(names("Container")).toEqual(["registry"]);
  expect(names("Image")).toEqual(["filter"]);
  expect(names("Release")).toEqual(["envoy-gateway", "metrics-server"]);
});

test("five workloads, and the five routes of the stack's file beside the one that modules are loaded on", () => {
  expect(names("Deployment")).toEqual(["bursting-metrics", "client", "echo", "httpbin", "httpbin-two"]);
  expect(names("HTTPRoute")).toEqual(["echo", "headers", "image-filter", "one", "two", "www"]);
  expect(names("Gateway")).toEqual(["gateway"]);
});

test("a policy for each route that has filters; each is awaited, and each filter proved", () => {
  const policies = ["image-filter", "route-echo", "route-headers", "route-one", "route-www"];
  expect(names("EnvoyExtensionPolicy")).toEqual(policies);
  expect(names("PolicyReady")).toEqual(policies);
  const filters = ["custom-header", "load-feedback", "two-headers", "wasm-custom", "www-custom"];
  expect(names("Preflight")).toEqual(filters);
  expect(names("Proof")).toEqual([...filters, "image-filter"].sort());
});

test("all that is in the cluster is made with the cluster's own credentials", () => {
  const inCluster = made.filter(({ type }) => type.startsWith("kubernetes:"));
  expect(inCluster.length).toBeGreaterThan(30);
  for (const { name, provider } of inCluster) expect(provider, name).toMatch(/pulumi:providers:kubernetes::kind::/);
});

test("no pod runs as root, no image is without a version, and all requests say what they need", () => {
  for (const { name, inputs } of made.filter(({ type }) => type.endsWith(":Deployment"))) {
    const { containers, securityContext } = inputs.spec.template.spec;
    expect(securityContext.runAsNonRoot, name).toBe(true);
    for (const { image, resources } of containers) {
      expect(image, name).toMatch(/:(?!latest)[^/]+$/);
      expect(Object.keys(resources.requests), name).toEqual(["cpu", "memory"]);
    }
  }
});

test("the outputs are what a person needs next", () => {
  const at = "http://localhost:32123";
  expect(outputs).toMatchObject({
    mesh: "envoy-gateway",
    gatewayUrl: at,
    routes: { one: `${at}/one`, two: `${at}/two`, headers: `${at}/headers`, echo: `${at}/echo`, www: `${at}/get` },
    registry: "registry.localhost:5000",
    images: [`127.0.0.1:5001/meshup/filter@${manifest}`],
    kubeconfig: expect.stringMatching(/\.meshup\/stacks\/dev\/kubeconfig$/),
    logs: {},
  });
  expect(
    outputs.filters.map(({ name, digest, delivery, image }: Record<string, string>) => [name, digest, delivery, image]),
  ).toEqual(
    ["custom-header", "two-headers", "wasm-custom", "load-feedback", "www-custom"].map((name) => [
      name,
      digest,
      "image",
      `registry.localhost:5000/meshup/filter@${manifest}`,
    ]),
  );
});
