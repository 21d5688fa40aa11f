import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { KindNode } from "../../../provider/resources.ts";
import { imageReference, type Overrides } from "../../config/overrides.ts";
import type { Registry } from "../../registry/registry.ts";
import type { Cluster, Exposure } from "../cluster.ts";
import { kindCommands } from "./commands.ts";
import {
  clusterIdentifier,
  kindConfig,
  kubeconfigIn,
  markOf,
  type Owner,
  ownerId,
  ownerOf,
  registryContainer,
} from "./config.ts";
import { inspectMachine, type Machine, settingsId } from "./machine.ts";
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
    const registries = { [`${registryHost}:5000`]: `http://${registryName}:5000` };
    const kubeconfig = kubeconfigIn(owner.directory);

    const node = watchNode();
    // A preview does not know what the provider is about to find: this machine does.
    const generation = (pulumi.runtime.isDryRun() && machine.cluster) || node.generation;
    const cluster = createCluster();
    this.provider = createProvider();
    this.registry = createRegistry();
    this.kubeconfig = cluster.id.apply(() => kubeconfig);
    this.exposure = { type: "nodePort", nodePort: gatewayPort, url: `http://localhost:${gatewayPort}` };
    goWithCluster(cluster, generation);
    this.registerOutputs({ kubeconfig: this.kubeconfig });

    /** Comes first: where the cluster has gone, it names another one, and all that follows is made anew. */
    function watchNode(): KindNode {
      return new KindNode(
        "kind",
        {
          cluster: args.name,
          owner: ownerId(owner),
          directory: owner.directory,
          settings: settingsId(args),
          registries,
        },
        { parent, additionalSecretOutputs: ["environment"] }, // proxies may have a password
      );
    }

    function createCluster(): command.local.Command {
      const { name, nodeImage } = args;
      const mark = pulumi.output(generation).apply((generation) => markOf(ownerId(owner), generation));
      const commands = mark.apply((mark) => kindCommands({ name, mark, nodeImage, kubeconfig, registries }));
      return new command.local.Command(
        "kind",
        {
          create: commands.create,
          update: commands.update,
          delete: commands.delete,
          stdin: mark.apply((mark) => kindConfig({ gatewayPort, directory: owner.directory, mark })),
          environment: node.environment,
          triggers: [name, generation],
          addPreviousOutputInEnv: false,
          logging: "stderr",
        },
        {
          parent,
          replaceOnChanges: ["triggers"],
          // The deletion of one that has gone comes at the end of the `up`, with that of all that was in it: only so does
          // the engine drop those resources (`deletedWith`) and not ask a cluster that is not there.
          deleteBeforeReplace: false,
          additionalSecretOutputs: ["stdout"], // the kubeconfig
          customTimeouts: { create: "20m" },
        },
      );
    }

    function createProvider(): kubernetes.Provider {
      return new kubernetes.Provider(
        "kind",
        {
          // The text, not the path: the file of a cluster made anew must never lead to the one that has gone.
          kubeconfig: pulumi.secret(cluster.stdout),
          // Another cluster's objects are made anew. By the kubeconfig alone the engine would take them for the same.
          clusterIdentifier: pulumi.output(generation).apply((generation) => clusterIdentifier(args.name, generation)),
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
          generation: machine.registry,
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
function goWithCluster(cluster: pulumi.Resource, generation: pulumi.Input<string>): void {
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
