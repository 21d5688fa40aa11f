import { dirname, join, relative } from "node:path";
import { stringify } from "yaml";
import { cloneNote } from "../../../lib/clone.ts";
import { root, stackDir } from "../../../lib/paths.ts";
import { sha256 } from "../../../lib/sha256.ts";
import type { Container } from "../docker.ts";

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

/** Where a node has the mount that says whose it is, and which of all that a stack has made. */
export const markOf = (owner: string, generation: string) => `/etc/meshup/${owner}/${generation}`;

/** As the Kubernetes provider knows a cluster. */
export const clusterIdentifier = (name: string, generation: string) => `${name}/${generation}`;

/** Where a stack's kubeconfig is kept. */
export const kubeconfigIn = (directory: string) => join(directory, "kubeconfig");

/** An owner as text, the same on every run and different for another clone: `dev-1f0c9a3b5d7e`. */
export function ownerId({ stack, directory, mark = { directory, name: "" } }: Owner): string {
  const text = mark.directory + mark.name;
  return `${stack}-${sha256(text).slice(0, 12)}`;
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

export interface ConfigArgs {
  /** This machine's port, on loopback, that leads to the node port of the same number. */
  gatewayPort: number;
  /** Absolute path of the stack's folder in the clone. */
  directory: string;
  /** See `markOf`. */
  mark: string;
}

/**
 * kind's configuration. A node has its mounts from its first moment on, so that a cluster is known as the stack's own
 * however early its making was interrupted; the path inside says whose, since Docker may alter the one outside.
 */
export function kindConfig({ gatewayPort, directory, mark }: ConfigArgs): string {
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
            hostPath: directory.includes(":") ? "/dev/null" : `${directory}/kind`,
            containerPath: mark,
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
