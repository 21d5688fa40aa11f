import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { Registry } from "../registry/registry.ts";

/** A Kubernetes cluster that a mesh can be installed into. One folder for each kind of cluster beside this file. */
export interface Cluster {
  /** What every Kubernetes resource is made with. */
  provider: kubernetes.Provider;
  /** Absolute path of the kubeconfig file, kept in the clone. */
  kubeconfig: pulumi.Output<string>;
  /** Where images and modules go, and the name that nodes, pods, proxies and the control plane pull them by. */
  registry: Registry;
  /** How the gateway's Service becomes reachable from outside. */
  exposure: Exposure;
}

/** `nodePort`: a fixed node port that this machine's `url` is mapped to. `loadBalancer`: an address from the cloud. */
export type Exposure = { type: "nodePort"; nodePort: number; url: string } | { type: "loadBalancer" };
