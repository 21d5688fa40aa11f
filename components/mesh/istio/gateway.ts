import type * as pulumi from "@pulumi/pulumi";
import type { Exposure } from "../../cluster/cluster.ts";
import type { StackConfig } from "../../config.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { ModuleVolume } from "./module-volume.ts";

/** The gateway that leads into the mesh. One file for each way to have one beside this one. */
export interface Gateway {
  /** What has to be there before a route answers. */
  readonly resources: pulumi.Resource[];
}

export interface GatewayArgs {
  config: StackConfig;
  controlPlane: ControlPlane;
  exposure: Exposure;
  /** Modules that its pods are to have mounted. */
  volumes: pulumi.Output<ModuleVolume[]>;
  /** What goes before pods that have a module. */
  before: pulumi.Resource[];
}
