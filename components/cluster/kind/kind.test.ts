import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { expect, test } from "vitest";
import { parse } from "yaml";
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
  "meshup:kind:Node": { generation: "g1-abcdef", environment: { HTTPS_PROXY: "http://me:password@proxy:1" } },
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

async function mock(preview: boolean): Promise<void> {
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
    preview,
  );
}

const owner = { stack: "dev", directory: "/clone/.meshup/stacks/dev" };
const machine: Machine = {
  dockerHost: "unix:///d.sock",
  network: "kind",
  registry: "r1",
};

async function create(over: Partial<KindClusterArgs> = {}, preview = false) {
  made = [];
  await mock(preview);
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

/** The mocks know no `additionalSecretOutputs`: that the environment is a secret is seen with the real engine. */
test("the cluster is made and deleted by kind's own commands, and the one that the provider names", async () => {
  const { inputs } = (await create()).one("command:local:Command");
  const mark = `/etc/meshup/${ownerId(owner)}/g1-abcdef`;
  expect(inputs.create).toMatch(
    /^ {2}kind create cluster --name meshup-dev --kubeconfig '\S+\/kubeconfig' --config - .*'my\/node:1'$/m,
  );
  expect(inputs.update).not.toContain("create");
  expect(inputs.delete).toMatch(/^ {2}kind delete cluster --name meshup-dev /m);
  for (const command of [inputs.create, inputs.delete]) expect(command).toContain(mark);
  expect(parse(inputs.stdin).nodes[0].extraMounts[0].containerPath).toBe(mark);
  expect(inputs.environment).toEqual({ HTTPS_PROXY: "http://me:password@proxy:1" });
});

test("what an earlier version has made is the same to the engine: no cluster is made anew", async () => {
  const { one } = await create();
  expect(one("command:local:Command").inputs.triggers).toEqual(["meshup-dev", "g1-abcdef"]);
  expect(one("pulumi:providers:kubernetes").inputs.clusterIdentifier).toBe("meshup-dev/g1-abcdef");
});

test("the provider looks after the node, by what does not change with the clone's place", async () => {
  expect((await create()).one("meshup:kind:Node").inputs).toMatchObject({
    cluster: "meshup-dev",
    owner: ownerId(owner),
    directory: owner.directory,
    registries: { "registry.localhost:5000": "http://meshup-dev-registry:5000" },
  });
});

test("a preview goes by the cluster that is there", async () => {
  const { one } = await create({ machine: { ...machine, cluster: "g0-abcdef" } }, true);
  expect(one("command:local:Command").inputs.triggers).toEqual(["meshup-dev", "g0-abcdef"]);
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
