import type * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster/cluster.ts";
import type { Overrides } from "../config/overrides.ts";
import type { Filter } from "../filter/filter.ts";
import type { Registry } from "../registry/registry.ts";
import type { Backend, BackendRoute } from "../workloads/backend.ts";
import type { DeploymentManifest } from "../workloads/kubernetes/pod.ts";
import type { FilterOutput } from "./filter-output.ts";

/** What every mesh is told of the stack's configuration. Its own keys are there too: see `MeshKind.schema`. */
export interface MeshSettings extends Overrides {
  /** Envoy's worker threads. */
  concurrency: number;
  /** Envoy's log level for each of its components. */
  logLevels: Record<string, string>;
  /** This machine's ports. */
  ports: { gateway: number; admin: number };
}

/** What every mesh is made from; its filters have passed their pre-flight check. */
export interface MeshArgs<Settings extends MeshSettings = MeshSettings> {
  config: Settings;
  filters: Filter[];
  /** What filters can call. */
  backends: Backend[];
  /** Each leads to one of the backends. */
  routes: BackendRoute[];
  /** What it is installed into; none for a mesh of this machine. */
  cluster?: Cluster;
  /** Where filters' images go. Default: the cluster's own registry. */
  registry?: Registry;
}

/** A filter that works; its fields are known later. */
export type FilterFields = { [Field in keyof FilterOutput]: pulumi.Input<FilterOutput[Field] | undefined> };

/**
 * A mesh with the stack's routes and filters, in two steps: made, it is there for workloads to come into; then it serves
 * them. One folder for each kind beside this file.
 */
export interface Mesh {
  /** What its sidecars want of the workloads' pods; none for a mesh without sidecars. */
  readonly sidecars?: Sidecars;
  /** Leads the routes to the workloads, and proves each filter on them. */
  serve(workloads: pulumi.Resource[]): Served;
}

/** What a mesh with sidecars wants of a workload's pods. */
export interface Sidecars {
  /** What has to be there before a pod is made: without it the pod would have no sidecar. */
  dependsOn: pulumi.Resource[];
  /** The deployment of a workload, or of the client, with what its sidecar needs, such as volumes with modules. */
  equip(name: string, deployment: DeploymentManifest): DeploymentManifest;
}

/** The stack's routes, served with its filters. */
export interface Served {
  /** Where the gateway answers: `http://localhost:10000`. */
  gatewayUrl: pulumi.Output<string>;
  /** Each route's address, by name. */
  routes: pulumi.Output<Record<string, string>>;
  /** Each of their fields by itself: one may be a secret. */
  filters: FilterFields[];
  /** Each process's log file, by name; its pods' are its inspector's affair. */
  logs: pulumi.Output<Record<string, string>>;
  /** What its own inspector has to know, to ask its proxies. */
  proxies: pulumi.Input<object>;
}
