import type * as pulumi from "@pulumi/pulumi";

/** The workloads that every stack has, wherever they run. */
export interface Workloads {
  /** What has to be there before a route to a workload answers. */
  resources: pulumi.Resource[];
  /** Each process's log file, by name; none in a cluster. */
  logs: Record<string, pulumi.Output<string>>;
}
