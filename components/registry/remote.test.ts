import * as pulumi from "@pulumi/pulumi";
import { MockMonitor } from "@pulumi/pulumi/runtime/mocks.js";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createRegistry } from "./index.ts";
import { digestOf } from "./push.ts";
import { pushAdvice } from "./remote.ts";

const digest = `sha256:${"d".repeat(64)}`;
// biome-ignore lint/suspicious/noExplicitAny: parts of it are asserted on
let made: { type: string; name: string; inputs: any; provider?: string }[];

/** What the provider would add to the inputs. A type that is not here is an error. */
const outputs: Record<string, (inputs: Record<string, string>) => object> = {
  "pulumi:providers:docker": () => ({}),
  "meshup:registry:Remote": () => ({}),
  "docker:index/image:Image": ({ imageName = "" }) => ({
    repoDigest: `${imageName.replace(/:[^:/]*$/, "")}@${digest}`,
  }),
};

/** The mocks know no hooks: the ones of a push are seen with the real engine. */
const register = (_request: unknown, done: (error: null, response: object) => void) => done(null, {});
Object.assign(MockMonitor.prototype, { registerResourceHook: register, registerErrorHook: register });

beforeEach(async () => {
  vi.stubEnv("DOCKER_HOST", "unix:///d.sock");
  made = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        const add = outputs[type];
        if (!add) throw new Error(`the mock knows no resource type ${type}`);
        made.push({ type, name, inputs, provider });
        return { id: name, state: { ...inputs, ...add(inputs) } };
      },
      call: ({ token }) => {
        throw new Error(`the mock knows no function ${token}`);
      },
    },
    "meshup",
    "dev",
  );
  pulumi.runtime.setAllConfig({ "meshup:registryPassword": "hunter2" }, ["meshup:registryPassword"]);
});
afterEach(() => {
  vi.unstubAllEnvs();
  pulumi.runtime.setAllConfig({});
});

type RegistryConfig = NonNullable<Parameters<typeof createRegistry>[0]["registry"]>;

/** The cluster's own, which is not to be used. */
const unused = {
  address: "unused.localhost:5000",
  push: () => expect.unreachable("the cluster's own registry is used"),
};

/** Pushes an image as a mesh does. */
async function push(config: RegistryConfig) {
  const { registry, images } = await createRegistry({ registry: config }, { registry: unused });
  if (!registry) throw new Error("there is no registry");
  const { reference } = registry.push("filter", { repository: "meshup/filter", context: "/context", tag: "cafe" });
  const known = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => void output.apply(resolve));
  const [pulled, pushed] = [await known(reference), (await known(pulumi.all(images))) as string[]];
  const image = made.find(({ type }) => type === "docker:index/image:Image");
  return { registry, pulled, pushed, image: image?.inputs, provider: image?.provider };
}

/** The text of a secret, and of nothing else. */
async function secretText(value: unknown): Promise<string> {
  expect(pulumi.Output.isInstance(value) && (await pulumi.isSecret(value))).toBe(true);
  return new Promise((resolve) => void (value as pulumi.Output<string>).apply(resolve));
}

it("pushes to one address and is pulled from by the other", async () => {
  const { registry, image, pulled, pushed, provider } = await push({
    address: "private.localhost:5000",
    push: "localhost:5003",
    username: "me",
  });
  expect(image.imageName).toBe("localhost:5003/meshup/filter:cafe");
  expect(pulled).toBe(`private.localhost:5000/meshup/filter@${digest}`);
  expect(pushed).toEqual([`localhost:5003/meshup/filter@${digest}`]);
  expect(image.registry.value).toMatchObject({ server: "localhost:5003", username: "me" });
  expect(registry.pullCredentials).toMatchObject({ registry: "private.localhost:5000", username: "me" });
  expect(provider).toMatch(/pulumi:providers:docker::registry::/);
  expect(made.find(({ type }) => type === "pulumi:providers:docker")?.inputs.host).toBe("unix:///d.sock");
});

it("hands the password on as a secret only", async () => {
  const { registry, image } = await push({ address: "private.localhost:5000", username: "me" });
  expect(await secretText(registry.pullCredentials?.password)).toBe("hunter2");
  // Of an object in which there is one, the mocks see all as a secret.
  expect(image.registry[pulumi.runtime.specialSigKey]).toBe(pulumi.runtime.specialSecretSig);
});

it("pushes to the address itself below its path; credentials belong to the host", async () => {
  const { registry, image, pulled } = await push({ address: "ghcr.io/me", username: "me" });
  expect(image.imageName).toBe("ghcr.io/me/meshup/filter:cafe");
  expect(pulled).toBe(`ghcr.io/me/meshup/filter@${digest}`);
  expect(image.registry.value.server).toBe("ghcr.io");
  expect(registry.pullCredentials?.registry).toBe("ghcr.io");
});

it("Docker Hub has repositories one below an account, and its credentials a name of their own", async () => {
  const { registry, image, pulled } = await push({ address: "docker.io/me", username: "me" });
  expect(image.imageName).toBe("docker.io/me/meshup-filter:cafe");
  expect(pulled).toBe(`docker.io/me/meshup-filter@${digest}`);
  expect(registry.pullCredentials?.registry).toBe("https://index.docker.io/v1/");
});

it("has no credentials for an open registry", async () => {
  const { registry, image } = await push({ address: "open.example.com" });
  expect(registry.pullCredentials).toBeUndefined();
  expect(image.registry).toBeUndefined();
});

it("refuses a password in plain text, and does not repeat it", async () => {
  pulumi.runtime.setAllConfig({ "meshup:registryPassword": "hunter2" }, []);
  const error = await push({ address: "private.localhost:5000", username: "me" }).catch(String);
  expect(error).toMatch(/plain text.*`pulumi config set --secret meshup:registryPassword`/);
  expect(error).not.toContain("hunter2");
  expect(made).toEqual([]);
});

it("without one in the configuration it is the cluster's own, or none", async () => {
  const some = pulumi.output("some");
  const image = { repository: some, reference: some, digest: some, pushed: pulumi.output("pushed") };
  const own = { address: "registry.localhost:5000", push: () => image };
  const { registry, images } = await createRegistry({}, { registry: own });
  expect(registry).toMatchObject({ address: own.address, pullCredentials: undefined });
  expect(registry?.push("filter", { repository: "meshup/filter", context: "/context", tag: "cafe" })).toBe(image);
  expect(images).toEqual([image.pushed]);
  expect(await createRegistry({ registry: { address: own.address } })).toEqual({ registry: undefined, images: [] });
  expect(made).toEqual([]);
});

it.each([
  ["error reading push output: unauthorized: authentication required", /r:1 refuses the push.*registryPassword/],
  ["error reading push output: denied: requested access to the resource is denied", /refuses the push/],
  ['Get "https://r:1/v2/": http: server gave HTTP response to HTTPS client', /r:1.*insecure-registries/],
  ['Get "http://r:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused', /r:1 does not answer.*registry\.push/],
  ["error reading push output: blob upload invalid", undefined],
])("Docker says %s", (error, advice) => {
  if (advice) expect(pushAdvice(error, "r:1")).toMatch(advice);
  else expect(pushAdvice(error, "r:1")).toBeUndefined();
});

it("reads the digest off what was pushed", () => {
  expect(digestOf(`localhost:5001/meshup/filter@${digest}`)).toBe(digest);
  expect(digestOf("localhost:5001/meshup/filter:cafe")).toBe("localhost:5001/meshup/filter:cafe");
});
