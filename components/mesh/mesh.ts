import type * as pulumi from "@pulumi/pulumi";
import type { Cluster } from "../cluster/cluster.ts";
import type { StackConfig } from "../config.ts";
import type { Filter } from "../filter.ts";
import type { Registry } from "../registry/registry.ts";

/** What every mesh is made from: the stack's configuration and the filters that passed their pre-flight check. */
export interface MeshArgs {
  config: StackConfig;
  filters: Filter[];
  /** What it is installed into; none for a mesh of this machine. */
  cluster?: Cluster;
  /** What has to run before filters can be seen to work: the workloads in the cluster. */
  workloads?: pulumi.Resource[];
  /** Where filters' images go. Default: the cluster's own registry. */
  registry?: Registry;
}

/** A filter that works: what it is, and how to see that it does. */
export interface AttachedFilter {
  name: string;
  /** The module's sha256, hex. */
  digest: string;
  /** How the module came to the proxy. */
  delivery: "file" | "image" | "http" | "lua";
  /** Its image as the mesh pulls it, where it comes by one: `registry.localhost:5000/meshup/filter@sha256:…`. */
  image?: string;
  /** An address that the filter works on. */
  url: string;
  /** Request headers that lead there, such as `host`. */
  headers?: Record<string, string>;
  /** Response headers that prove it: exact text or `/regex/`. */
  expect: Record<string, string>;
}

/** A mesh that serves the stack's routes with its filters attached. One file for each kind beside this one. */
export interface Mesh {
  /** Where the gateway answers: `http://localhost:10000`. */
  gatewayUrl: pulumi.Output<string>;
  /** Each route's address, by name. */
  routes: pulumi.Output<Record<string, string>>;
  filters: pulumi.Output<AttachedFilter[]>;
  /** Each process's log file, by name. */
  logs: pulumi.Output<Record<string, string>>;
}
