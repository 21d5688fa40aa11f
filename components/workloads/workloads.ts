import type * as pulumi from "@pulumi/pulumi";

/** The workloads that every stack has, wherever they run. */
export interface Workloads {
  /** What has to be there before a route to a workload answers. */
  resources: pulumi.Resource[];
  /** By name, where it says what it does: a process's log file, in a cluster `NAMESPACE/DEPLOYMENT`. */
  logs: Record<string, pulumi.Output<string>>;
}
