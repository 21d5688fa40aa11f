import * as pulumi from "@pulumi/pulumi";
import { stackDir } from "../../lib/paths.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { StackConfig } from "../config/config.ts";
import { chartReference, imageReference } from "../config/overrides.ts";
import type { Sidecars } from "../mesh/mesh.ts";
import { ClusterWorkloads } from "./cluster.ts";
import { LocalCommand } from "./command.ts";
import { hasDemo } from "./declared.ts";
import { LocalWorkloads } from "./local.ts";
import type { Workloads } from "./workloads.ts";

/** The stack's workloads: the demo's where it has them, and a person's own. */
export function createWorkloads(config: StackConfig, cluster?: Cluster, sidecars?: Sidecars): Workloads {
  const own = cluster ? [] : ownOnThisMachine(config);
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
