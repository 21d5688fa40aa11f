import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { root, stackDir } from "../../lib/paths.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { StackConfig } from "../config/config.ts";
import { chartReference, imageReference } from "../config/overrides.ts";
import type { Sidecars } from "../mesh/mesh.ts";
import { createPullSecret } from "../registry/pull-secret.ts";
import type { Registry } from "../registry/registry.ts";
import { ClusterWorkloads } from "./cluster.ts";
import { LocalCommand } from "./command.ts";
import { type Declaration, hasDemo } from "./declared.ts";
import { namespace } from "./demo.ts";
import { DeployedWorkload } from "./deployment.ts";
import { LocalWorkloads } from "./local.ts";
import type { Workloads } from "./workloads.ts";

export interface WorkloadsArgs {
  config: StackConfig;
  /** None: they are processes of this machine. */
  cluster?: Cluster;
  /** Where built images go. Default: the cluster's own registry. */
  registry?: Registry;
  /** What the mesh wants of their pods. */
  sidecars?: Sidecars;
}

/** The stack's workloads: the demo's where it has them, and a person's own. */
export function createWorkloads(args: WorkloadsArgs): Workloads {
  const { config, cluster, registry = cluster?.registry, sidecars } = args;
  const own = cluster ? ownInCluster(config, cluster, registry as Registry, sidecars) : ownOnThisMachine(config);
  const all = [...(hasDemo(config) ? [demo(config, cluster, sidecars)] : []), ...own];
  return {
    resources: all.flatMap(({ resources }) => resources),
    logs: Object.assign({}, ...all.map(({ logs }) => logs)),
  };
}

function demo(config: StackConfig, cluster?: Cluster, sidecars?: Sidecars): Workloads {
  if (!cluster) return new LocalWorkloads("workloads", { directory: stackDir(pulumi.getStack()), config });
  const metricsServer = {
    chart: "metrics-server",
    version: "3.13.1",
    repositoryOpts: { repo: "https://kubernetes-sigs.github.io/metrics-server" },
  };
  return new ClusterWorkloads(
    "workloads",
    {
      config,
      sidecars,
      image: (name) => imageReference(config, name),
      metricsServer: chartReference(config, "metrics-server", metricsServer),
    },
    { providers: { kubernetes: cluster.provider } },
  );
}

function ownOnThisMachine({ workloads = {} }: StackConfig): Workloads[] {
  const directory = stackDir(pulumi.getStack());
  return Object.entries(workloads).flatMap(([name, declaration]) => {
    if (declaration.kind !== "command") return [];
    const { process } = new LocalCommand(name, { directory, declaration });
    return [{ resources: [process], logs: { [name]: process.log } }];
  });
}

function ownInCluster(
  { workloads = {} }: StackConfig,
  { provider, kubeconfig }: Cluster,
  registry: Registry,
  sidecars?: Sidecars,
): Workloads[] {
  const declared = Object.entries(workloads).flatMap(([name, declaration]) =>
    declaration.kind === "image" || declaration.kind === "build" ? [{ name, declaration }] : [],
  );
  if (declared.length === 0) return [];
  const registrySecret = createPullSecret("workloads", { registry, namespace }, { provider });
  return declared.map(({ name, declaration }) => {
    const image = declaration.kind === "image" ? declaration.image : buildImage(name, declaration, registry);
    const args = { declaration, image, registrySecret, namespace, kubeconfig, sidecars };
    const { ready } = new DeployedWorkload(name, args, { providers: { kubernetes: provider } });
    return { resources: [ready], logs: { [name]: pulumi.output(`${namespace}/${name}`) } };
  });
}

/** Pods name it by its digest: the tag is only what Docker wants of a push, and is the same for every content. */
function buildImage(name: string, { build }: Declaration<"build">, registry: Registry): pulumi.Output<string> {
  const image = `workload-${name}`;
  return registry.push(image, { repository: `meshup/${image}`, context: resolve(root, build), tag: "built" }).reference;
}
