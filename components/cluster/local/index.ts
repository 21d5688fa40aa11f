import type { ClusterKind } from "../cluster-kind.ts";

/** No cluster: everything runs on this machine as it is. */
export const local: ClusterKind = {
  name: "local",
  isCluster: false,
  keys: {},
  create: async () => undefined,
};
