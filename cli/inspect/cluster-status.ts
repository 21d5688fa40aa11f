/** What of a stack runs in its cluster. */
import { isReady } from "../../kube/pods.ts";
import type { StackCluster } from "./cluster.ts";

export interface PartStatus {
  name: string;
  /** Of how many pods, how many take requests. */
  ready: number;
  pods: number;
}

/** Workloads, gateway and control plane; a part without a pod does not run. */
export function clusterStatus({ parts }: Pick<StackCluster, "parts">): Promise<PartStatus[]> {
  return Promise.all(
    parts.map(async ({ name, pods }) => {
      const all = await pods();
      return { name, ready: all.filter(isReady).length, pods: all.length };
    }),
  );
}
