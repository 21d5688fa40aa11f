import type { Cluster } from "../cluster/cluster.ts";
import type { StackConfig } from "../config/config.ts";
import type { Registry } from "./registry.ts";

/** Where filters' images go: the registry that the stack's configuration names, else the cluster's own. */
export async function createRegistry(config: StackConfig, cluster?: Cluster): Promise<Registry | undefined> {
  if (!config.registry) return cluster?.registry;
  return (await import("./remote.ts")).createRemoteRegistry(config.registry);
}
