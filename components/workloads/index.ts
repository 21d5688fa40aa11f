import * as pulumi from "@pulumi/pulumi";
import { stackDir } from "../../lib/paths.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { StackConfig } from "../config/config.ts";
import { chartReference, imageReference } from "../config/overrides.ts";
import type { Sidecars } from "../mesh/mesh.ts";
import { ClusterWorkloads } from "./cluster.ts";
import { hasDemo } from "./declared.ts";
import { LocalWorkloads } from "./local.ts";
import type { Workloads } from "./workloads.ts";

/** The demo's workloads in the cluster, or as processes of this machine where there is none. */
export function createWorkloads(config: StackConfig, cluster?: Cluster, sidecars?: Sidecars): Workloads {
  if (!hasDemo(config)) return { resources: [], logs: {} };
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
