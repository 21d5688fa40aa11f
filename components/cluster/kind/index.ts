import type { ClusterKind } from "../cluster-kind.ts";
import { stackKeys } from "./schema.ts";

/** A cluster of one node in Docker on this machine. */
export const kind: ClusterKind = {
  name: "kind",
  isCluster: true,
  keys: stackKeys.shape,
  create: async (config, stack) => (await import("./kind.ts")).createKindCluster(config, stack),
  inspect: async () => (await import("./inspect.ts")).inspector,
};
