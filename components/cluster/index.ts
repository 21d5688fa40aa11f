import type { StackConfig } from "../config/config.ts";
import type { Cluster } from "./cluster.ts";

/** Each kind of cluster is loaded when it is asked for: a stack without one needs none of their packages. */
const clusters: Record<StackConfig["cluster"], (config: StackConfig, stack: string) => Promise<Cluster | undefined>> = {
  local: async () => undefined,
  kind: async (config, stack) => (await import("./kind/kind.ts")).createKindCluster(config, stack),
};

/** The cluster that the stack's configuration names; none for `local`: everything runs on this machine as it is. */
export function createCluster(config: StackConfig, stack: string): Promise<Cluster | undefined> {
  return clusters[config.cluster](config, stack);
}
