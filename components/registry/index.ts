import type * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster/cluster.ts";
import type { StackConfig } from "../config/config.ts";
import type { Registry } from "./registry.ts";

/** Where images for a cluster go: the registry that the stack's configuration names, else the cluster's own. */
export async function createRegistry(config: Pick<StackConfig, "registry">, cluster?: Pick<Cluster, "registry">) {
  const there =
    cluster && config.registry
      ? await (await import("./remote.ts")).createRemoteRegistry(config.registry)
      : cluster?.registry;
  /** What was pushed, as this machine has pushed it. */
  const images: pulumi.Output<string>[] = [];
  const registry: Registry | undefined = there && {
    address: there.address,
    pullCredentials: there.pullCredentials,
    push: (...args) => {
      const image = there.push(...args);
      images.push(image.pushed);
      return image;
    },
  };
  return { registry, images };
}
