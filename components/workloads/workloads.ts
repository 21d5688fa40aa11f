import type * as pulumi from "@pulumi/pulumi";

/** A group of workloads once it is made: the demo's, or one of a person's own. */
export interface Workloads {
  /** What has to be there before a route to a workload answers. */
  resources: pulumi.Resource[];
  /** By name, where it says what it does: a process's log file, in a cluster `NAMESPACE/DEPLOYMENT`. */
  logs: Record<string, pulumi.Output<string>>;
}
