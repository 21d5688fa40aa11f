import { fileURLToPath } from "node:url";
import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { root } from "../../../lib/paths.ts";
import { imageReference, type Overrides } from "../../config/overrides.ts";
import type { Registry } from "../../registry/registry.ts";
import type { Cluster, Exposure } from "../cluster.ts";
import { documentIn, type KindSpec, type Owner, ownerOf, registryContainer } from "./config.ts";
import { inspectMachine, kubeconfigOf, type Machine } from "./machine.ts";
import { LocalRegistry } from "./registry.ts";
import { clusterName, settingsOf } from "./schema.ts";

export interface KindClusterArgs {
  /** Name of the cluster, as kind knows it. */
  name: string;
  /** Image of its node. Default: kind's own. */
  nodeImage?: string;
  /** The gateway's node port, and this machine's port that leads to it. */
  gatewayPort: number;
  /** This machine's port of the registry. */
  registryPort: number;
  /** Image of the registry's container. */
  registryImage: string;
  /** The name that nodes, pods, proxies and the control plane pull images by, at port 5000. */
  registryHost: string;
  /** Who it is made for. */
  owner: Owner;
  /** What is on this machine already. */
  machine: Machine;
}

/** A cluster of one node in Docker on this machine, and a registry beside it. */
export class KindCluster extends pulumi.ComponentResource implements Cluster {
  readonly provider: kubernetes.Provider;
  readonly kubeconfig: pulumi.Output<string>;
  readonly registry: Registry;
  readonly exposure: Exposure;

  constructor(name: string, args: KindClusterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:cluster:Kind", name, {}, opts);
    const parent = this;
    const { owner, machine, gatewayPort, registryHost } = args;
    const registryName = registryContainer(args.name);
    const kubeconfig = kubeconfigOf(owner);

    const cluster = createCluster();
    this.provider = createProvider();
    this.registry = createRegistry();
    this.kubeconfig = cluster.id.apply(() => kubeconfig);
    this.exposure = { type: "nodePort", nodePort: gatewayPort, url: `http://localhost:${gatewayPort}` };
    goWithCluster(cluster, machine.cluster.generation);
    this.registerOutputs({ kubeconfig: this.kubeconfig });

    function createCluster(): command.local.Command {
      const spec: KindSpec = {
        name: args.name,
        nodeImage: args.nodeImage,
        gatewayPort,
        owner,
        generation: machine.cluster.generation,
        kubeconfig,
        registries: { [`${registryHost}:5000`]: `http://${registryName}:5000` },
      };
      return new command.local.Command(
        "kind",
        {
          interpreter: ["node", "--import", "tsx/esm", fileURLToPath(new URL("../kind-command.ts", import.meta.url))],
          create: "create",
          update: "create",
          delete: "delete",
          stdin: JSON.stringify(spec),
          dir: root,
          // A Command does not look at the world: what was seen there at the start is an input.
          environment: isUsable() ? {} : whatIsWrong(),
          triggers: [args.name, spec.generation],
          addPreviousOutputInEnv: false,
          logging: "stderr",
        },
        {
          parent,
          replaceOnChanges: ["triggers"],
          // `create` removes what is left of the one before. Its deletion comes at the end of the `up`, with that of all
          // that was in it: only so does the engine drop those resources (`deletedWith`) and not ask a cluster that has gone.
          deleteBeforeReplace: false,
          // Once it is usable again, that is no change.
          ignoreChanges: isUsable() ? ["environment"] : [],
          additionalSecretOutputs: ["stdout"], // the kubeconfig
          customTimeouts: { create: "20m" },
        },
      );
    }

    function isUsable(): boolean {
      return machine.cluster.isNew || machine.cluster.answers === true;
    }

    /** Another text each time that it comes to that. */
    function whatIsWrong(): Record<string, string> {
      const { running, startedAt } = machine.cluster;
      return {
        MESHUP_CLUSTER: running ? "starting" : "stopped",
        ...(startedAt && { MESHUP_CLUSTER_SINCE: startedAt }),
      };
    }

    function createProvider(): kubernetes.Provider {
      return new kubernetes.Provider(
        "kind",
        {
          // The text, not the path: the file of a cluster made anew must never lead to the one that has gone.
          kubeconfig: pulumi.secret(cluster.stdout.apply(documentIn)),
          // Known at once, and not by way of the Command: the engine would delete what is in a cluster that has gone, and
          // fails at that ("the client connection is closing"). So it is made anew first, and what has gone is dropped.
          clusterIdentifier: `${args.name}/${machine.cluster.generation}`,
          deleteUnreachable: true,
          // All in it is the stack's own, also what an interrupted run has made, or a run before has left.
          upsertExistingObjects: true,
          enablePatchForce: true, // also what somebody has changed by hand
        },
        { parent },
      );
    }

    function createRegistry(): LocalRegistry {
      const provider = new docker.Provider("docker", { host: machine.dockerHost }, { parent });
      return new LocalRegistry(
        "registry",
        {
          name: registryName,
          network: machine.network,
          host: registryHost,
          port: args.registryPort,
          image: args.registryImage,
          owner,
          generation: machine.registry.generation,
        },
        { parent, providers: { docker: provider }, dependsOn: [cluster] },
      );
    }
  }
}

/**
 * What is in the cluster goes with it, since nobody wants to wait for a hundred deletions in a cluster that is being
 * deleted; and it comes with it. That a provider is another one shows the engine the same, but only until an `up` is
 * interrupted: the next one would take what is not yet in the new cluster for unchanged.
 */
function goWithCluster(cluster: pulumi.Resource, generation: string): void {
  pulumi.runtime.registerStackTransformation(({ type, props, opts }) =>
    type.startsWith("kubernetes:")
      ? { props, opts: { ...opts, deletedWith: cluster, replacementTrigger: generation } }
      : undefined,
  );
}

/**
 * The cluster that a stack's configuration describes.
 * @throws UserError that names all that stands in the way on this machine
 */
export async function createKindCluster(config: Overrides, stack: string): Promise<KindCluster> {
  const settings = settingsOf(config);
  const { gatewayPort, registryPort, registryHost } = settings;
  const name = clusterName(settings, stack);
  const owner = ownerOf(stack);
  const registry = registryContainer(name);
  const { nodeImage } = config;
  const names = { cluster: name, registry, registryHost };
  const machine = await inspectMachine({ owner, ...names, nodeImage, gatewayPort, registryPort });
  return new KindCluster("cluster", {
    name,
    nodeImage,
    gatewayPort,
    registryPort,
    registryImage: imageReference(config, "docker.io/library/registry:3"),
    registryHost,
    owner,
    machine,
  });
}
