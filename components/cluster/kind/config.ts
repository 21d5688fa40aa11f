import { createHash } from "node:crypto";
import { dirname, join, relative } from "node:path";
import { stringify } from "yaml";
import { cloneNote, inThisClone } from "../../../lib/clone.ts";
import { root, stackDir } from "../../../lib/paths.ts";
import type { Container } from "../docker.ts";

/** A kind cluster to make, or to delete: all that `kind-command.ts` needs to know. */
export interface KindSpec {
  /** As kind names it: `meshup-dev`. */
  name: string;
  /** Image of the node; kind's own choice by default. */
  nodeImage?: string;
  /** This machine's port, on loopback, that leads to the node port of the same number. */
  gatewayPort: number;
  /** The stack that it belongs to. */
  owner: Owner;
  /** A cluster made anew is another generation. */
  generation: string;
  /** Absolute path of the kubeconfig file to write. */
  kubeconfig: string;
  /** Registries that the nodes reach over plain HTTP: the name that images are pulled by → address. */
  registries: Record<string, string>;
}

/** Tells the clusters and containers of one stack of one clone from all others. */
export interface Owner {
  stack: string;
  /** Absolute path of the stack's folder in the clone. */
  directory: string;
  /** What its containers are marked with: where the folder was at first, and the clone's name. Default: `directory`. */
  mark?: { directory: string; name: string };
}

/** The owner of what a stack makes: the same one when the clone is moved, another one in a copy of it. */
export function ownerOf(stack: string): Owner {
  const { home, name } = cloneNote();
  const directory = stackDir(stack);
  const mark = { directory: join(home, relative(root, directory)), name };
  return name === "" && home === root ? { stack, directory } : { stack, directory, mark };
}

/** Labels of the containers that we make ourselves. kind gives a node none of ours: there it is a mount. */
export const ownerLabel = "dev.meshup.owner";
export const generationLabel = "dev.meshup.generation";
export const directoryLabel = "dev.meshup.directory";
const mountRoot = "/etc/meshup";

/** An owner as text, the same on every run and different for another clone: `dev-1f0c9a3b5d7e`. */
export function ownerId({ stack, directory, mark = { directory, name: "" } }: Owner): string {
  const text = mark.directory + mark.name;
  return `${stack}-${createHash("sha256").update(text).digest("hex").slice(0, 12)}`;
}

/** What a cluster was made with, by the paths that the clone has now. */
export function inPlace(spec: KindSpec): KindSpec {
  const { owner, kubeconfig } = spec;
  const directory = inThisClone(owner.directory);
  if (directory === owner.directory) return spec;
  const mark = owner.mark ?? { directory: owner.directory, name: "" };
  return { ...spec, owner: { ...owner, directory, mark }, kubeconfig: inThisClone(kubeconfig) };
}

export const nodeName = (cluster: string) => `${cluster}-control-plane`;
export const registryContainer = (cluster: string) => `${cluster}-registry`;

/** Who made a container. */
export interface Ownership {
  /** See `ownerId`. */
  owner: string;
  generation: string;
  /** The stack's folder, as Docker sees it. */
  directory?: string;
}

/** What a container says of who made it; undefined when it was not made by meshup. */
export function ownership({ labels, mounts }: Container): Ownership | undefined {
  const owner = labels[ownerLabel];
  if (owner !== undefined)
    return { owner, generation: labels[generationLabel] ?? "", directory: labels[directoryLabel] };
  for (const [destination, source] of Object.entries(mounts)) {
    const [, id, generation] = /^\/etc\/meshup\/([^/]+)\/([^/]+)$/.exec(destination) ?? [];
    if (id !== undefined && generation !== undefined) return { owner: id, generation, directory: dirname(source) };
  }
  return undefined;
}

/** What a cluster on one machine does sooner than Kubernetes does by default. */
const kubeadmPatches = [
  // A new stack would wait for the sum of its images.
  { kind: "KubeletConfiguration", serializeImagePulls: false },
  // Autoscalers look every 5 s in place of 15. kind translates it for kubeadm's newer versions, which have lists.
  {
    kind: "ClusterConfiguration",
    controllerManager: { extraArgs: { "horizontal-pod-autoscaler-sync-period": "5s" } },
  },
];

/**
 * kind's configuration. A node has its mounts from its first moment on, so that a cluster is known as the stack's own
 * however early its making was interrupted; the path inside says whose, since Docker may alter the one outside.
 */
export function kindConfig({ gatewayPort, owner, generation }: KindSpec): string {
  return stringify({
    kind: "Cluster",
    apiVersion: "kind.x-k8s.io/v1alpha4",
    networking: { apiServerAddress: "127.0.0.1" },
    kubeadmConfigPatches: kubeadmPatches.map((patch) => stringify(patch)),
    nodes: [
      {
        role: "control-plane",
        extraPortMappings: [
          { containerPort: gatewayPort, hostPort: gatewayPort, listenAddress: "127.0.0.1", protocol: "TCP" },
        ],
        extraMounts: [
          {
            // Docker takes a path with a colon for two.
            hostPath: owner.directory.includes(":") ? "/dev/null" : `${owner.directory}/kind`,
            containerPath: `${mountRoot}/${ownerId(owner)}/${generation}`,
            readOnly: true,
          },
        ],
      },
    ],
  });
}

/** Where containerd looks for what it must know of a registry; kind's nodes are set up for it. */
export const hostsDirectory = (registry: string) => `/etc/containerd/certs.d/${registry}`;

/** Tells containerd to pull images of a registry from this address, over plain HTTP. */
export function hostsToml(address: string): string {
  return [`server = "${address}"`, "", `[host."${address}"]`, '  capabilities = ["pull", "resolve"]', ""].join("\n");
}

/** A kubeconfig between marks: people's preloads may print on the same standard output. */
export const asDocument = (kubeconfig: string) => `---\n${kubeconfig.trimEnd()}\n...\n`;

/** The kubeconfig in what `kind-command.ts create` has printed; an earlier version printed nothing else. */
export function documentIn(stdout: string): string {
  return /^---\n([\s\S]*?)\n\.\.\.$/m.exec(stdout)?.[1] ?? stdout;
}
