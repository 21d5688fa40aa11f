import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { beforeEach, expect, test } from "vitest";
import { ownerId } from "./config.ts";
import { KindCluster, type KindClusterArgs } from "./kind.ts";
import type { Machine } from "./machine.ts";

interface Made {
  type: string;
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a resource is made with is its own
  inputs: any;
  provider: string | undefined;
}
let made: Made[] = [];

/** What a resource has besides its inputs once it is made. A type that is not here is an error. */
const outputs: Record<string, object> = {
  "pulumi:pulumi:Stack": {},
  "meshup:cluster:Kind": {},
  "meshup:registry:Local": {},
  "command:local:Command": { stdout: "the-kubeconfig", stderr: "" },
  "pulumi:providers:kubernetes": {},
  "pulumi:providers:docker": {},
  "docker:index/remoteImage:RemoteImage": { imageId: "sha256:image" },
  "docker:index/container:Container": {},
  "docker:index/image:Image": { repoDigest: `127.0.0.1:5001/meshup/filter@sha256:${"9".repeat(64)}` },
};

/** The mocks know no hooks: those of registry and push are seen with the real engine. */
const register = (_request: unknown, done: (error: null, response: object) => void) => done(null, {});
Object.assign(MockMonitor.prototype, { registerResourceHook: register, registerErrorHook: register });

beforeEach(async () => {
  made = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        const own = outputs[type];
        if (!own) throw new Error(`the mock knows no resource type ${type}`);
        made.push({ type, name, inputs, provider });
        return { id: name, state: { ...inputs, ...own } };
      },
      call: ({ token }) => {
        throw new Error(`the mock knows no function ${token}`);
      },
    },
    "meshup",
    "dev",
  );
});

const owner = { stack: "dev", directory: "/clone/.meshup/stacks/dev" };
const machine: Machine = {
  dockerHost: "unix:///d.sock",
  network: "kind",
  cluster: { generation: "g1-abcdef", isNew: true, running: false },
  registry: { generation: "r1", isNew: true, running: false },
};

async function create(over: Partial<KindClusterArgs> = {}) {
  let cluster: KindCluster | undefined;
  let reference = "";
  await pulumi.runtime.runInPulumiStack(async () => {
    cluster = new KindCluster("cluster", {
      name: "meshup-dev",
      nodeImage: "my/node:1",
      gatewayPort: 30000,
      registryPort: 5001,
      registryImage: "docker.io/library/registry:3",
      registryHost: "registry.localhost",
      owner,
      machine,
      ...over,
    });
    const pushed = cluster.registry.push("filter", { repository: "meshup/filter", context: "/context", tag: "cafe" });
    reference = await new Promise<string>((resolve) => void pushed.reference.apply(resolve));
    return {};
  });
  await pulumi.runtime.disconnect();
  const one = (type: string) => {
    const found = made.filter((resource) => resource.type === type);
    if (found.length !== 1) throw new Error(`there are ${found.length} of ${type}`);
    return found[0] as Made;
  };
  return { cluster: cluster as KindCluster, one, reference };
}

test("the cluster is made and deleted by one command, which is told all that it needs", async () => {
  const { inputs } = (await create()).one("command:local:Command");
  expect(inputs).toMatchObject({ create: "create", update: "create", delete: "delete", environment: {} });
  expect(JSON.parse(inputs.stdin)).toEqual({
    name: "meshup-dev",
    nodeImage: "my/node:1",
    gatewayPort: 30000,
    owner,
    generation: "g1-abcdef",
    kubeconfig: `${owner.directory}/kubeconfig`,
    registries: { "registry.localhost:5000": "http://meshup-dev-registry:5000" },
  });
  expect(inputs.triggers).toEqual(["meshup-dev", "g1-abcdef"]);
});

test("a cluster that has stopped is made to run by the same command", async () => {
  const stopped = { ...machine, cluster: { generation: "g1-abcdef", isNew: false, running: false } };
  const { inputs } = (await create({ machine: stopped })).one("command:local:Command");
  expect(inputs.environment).toEqual({ MESHUP_CLUSTER: "stopped" });
});

test("a cluster that is coming up is waited for by the same command, and one that is up changes nothing", async () => {
  const running = { generation: "g1-abcdef", isNew: false, running: true, startedAt: "2026-01-01T12:00:00Z" };
  const environment = async (answers: boolean) =>
    (await create({ machine: { ...machine, cluster: { ...running, answers } } })).one("command:local:Command").inputs
      .environment;
  expect(await environment(false)).toEqual({
    MESHUP_CLUSTER: "starting",
    MESHUP_CLUSTER_SINCE: "2026-01-01T12:00:00Z",
  });
  made = [];
  expect(await environment(true)).toEqual({});
});

test("what is in the cluster is made with the kubeconfig's text, as a secret, and goes with the cluster", async () => {
  const { inputs } = (await create()).one("pulumi:providers:kubernetes");
  expect(inputs).toMatchObject({ clusterIdentifier: "meshup-dev/g1-abcdef", deleteUnreachable: "true" });
  expect(inputs.kubeconfig).toEqual({
    [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig,
    value: "the-kubeconfig",
  });
});

test("the registry listens on loopback alone, may write to its volume alone, and says whose it is", async () => {
  const { one } = await create();
  const { inputs } = one("docker:index/container:Container");
  expect(inputs).toMatchObject({
    name: "meshup-dev-registry",
    image: "sha256:image",
    networksAdvanced: [{ name: "kind", aliases: ["registry.localhost"] }],
    ports: [{ internal: 5000, external: 5001, ip: "127.0.0.1" }],
    readOnly: true,
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges"],
  });
  expect(inputs.labels).toEqual([
    { label: "dev.meshup.owner", value: ownerId(owner) },
    { label: "dev.meshup.generation", value: "r1" },
    { label: "dev.meshup.directory", value: owner.directory },
  ]);
  expect(one("docker:index/remoteImage:RemoteImage").inputs.keepLocally).toBe(true);
  expect(one("pulumi:providers:docker").inputs.host).toBe("unix:///d.sock");
});

test("the registry is where the node is", async () => {
  const { inputs } = (await create({ machine: { ...machine, network: "other" } })).one(
    "docker:index/container:Container",
  );
  expect(inputs.networksAdvanced).toEqual([{ name: "other", aliases: ["registry.localhost"] }]);
});

test("an image is pushed to this machine's port and pulled by the one name; a new registry is given it again", async () => {
  const { one, reference } = await create();
  const { inputs, provider } = one("docker:index/image:Image");
  expect(inputs.imageName).toBe("127.0.0.1:5001/meshup/filter:cafe");
  expect(inputs.build).toMatchObject({ context: "/context", args: { MESHUP_REGISTRY: "r1" } });
  expect(provider).toMatch(/pulumi:providers:docker::docker::/);
  expect(reference).toBe(`registry.localhost:5000/meshup/filter@sha256:${"9".repeat(64)}`);
});

test("the gateway is at the node port that this machine's port leads to", async () => {
  const { cluster } = await create({ gatewayPort: 30123 });
  expect(cluster.exposure).toEqual({ type: "nodePort", nodePort: 30123, url: "http://localhost:30123" });
});
