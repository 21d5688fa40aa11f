/** What components ask Pulumi to make, without an engine. */
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster/cluster.ts";
import type { ImageArgs, PullCredentials } from "../registry/registry.ts";

export interface Made {
  type: string;
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: what a resource is made with is its own
  inputs: any;
  provider: string | undefined;
}

/** By type, what a resource has besides its inputs once it is made; `none` for nothing. A type that is not here is an error. */
// biome-ignore lint/suspicious/noExplicitAny: what a resource is made with is its own
export type Known = Record<string, (inputs: any) => object>;

export const none = () => ({});

/** As the provider decides it of a filter that something shows. */
export const evidence: Known[string] = ({ subject, expect, found }) => ({
  attached: subject,
  expected: expect ?? found.adds,
});

/** The manifest's digest of every image that is pushed. */
export const manifestDigest = `sha256:${"9".repeat(64)}`;

/**
 * Has Pulumi make nothing from now on but a list of what it is asked for. What has no name is given one, as Kubernetes does,
 * which has no name twice.
 */
export async function listMade(known: Known, stack = "dev") {
  const made: Made[] = [];
  const there = new Set<string>();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs, provider }) => {
        const add = known[type];
        if (!add) throw new Error(`the mock knows no resource type ${type}`);
        made.push({ type, name, inputs, provider });
        const { metadata } = inputs;
        if (!metadata) return { id: name, state: { ...inputs, ...add(inputs) } };
        const named = { name: `${name}-auto`, ...metadata, uid: `uid-of-${name}`, generation: 1 };
        const id = `${type} ${named.namespace}/${named.name}`;
        if (there.has(id)) throw new Error(`${id} is there already`);
        there.add(id);
        return { id: name, state: { ...inputs, metadata: named, ...add(inputs) } };
      },
      call: ({ token }) => {
        throw new Error(`the mock knows no function ${token}`);
      },
    },
    "meshup",
    stack,
  );
  /** By name: the order in which resources are made is Pulumi's own. */
  const ofKind = (kind: string) =>
    made.filter(({ type }) => type.endsWith(`:${kind}`)).sort((a, b) => a.name.localeCompare(b.name));
  const one = (kind: string, name: string) => ofKind(kind).find((resource) => resource.name === name)?.inputs;
  return { made, ofKind, one };
}

export type Listed = Awaited<ReturnType<typeof listMade>>;

/** A cluster whose registry takes every image, and tells of it. */
export function someCluster(pullCredentials?: PullCredentials) {
  const pushed: { name: string; args: ImageArgs }[] = [];
  const address = "registry.localhost:5000";
  const cluster: Cluster = {
    provider: new kubernetes.Provider("kind", {}),
    kubeconfig: pulumi.output("/kubeconfig"),
    exposure: { type: "nodePort", nodePort: 30000, url: "http://localhost:30000" },
    registry: {
      address,
      pullCredentials,
      push: (name, args) => {
        pushed.push({ name, args });
        const repository = `${address}/${args.repository}`;
        return {
          repository: pulumi.output(repository),
          digest: pulumi.output(manifestDigest),
          reference: pulumi.output(`${repository}@${manifestDigest}`),
          pushed: pulumi.output(`127.0.0.1:5001/${args.repository}@${manifestDigest}`),
        };
      },
    },
  };
  return { cluster, pushed };
}
