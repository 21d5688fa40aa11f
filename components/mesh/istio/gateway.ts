import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { BackendRoute } from "../../workloads/backend.ts";
import type { MeshSettings } from "../mesh.ts";
import type { ControlPlane } from "./control-plane.ts";
import type { ModuleVolume } from "./module-volume.ts";
import { gatewayNamespace } from "./names.ts";
import type { Placement } from "./placement.ts";

/** The gateway that leads into the mesh. One file for each way to have one beside this one. */
export interface Gateway {
  /** What has to be there before a route answers. */
  readonly resources: pulumi.Resource[];
}

export interface GatewayArgs {
  config: MeshSettings;
  routes: BackendRoute[];
  controlPlane: ControlPlane;
  /** Modules that its pods are to have mounted. */
  volumes: pulumi.Output<ModuleVolume[]>;
  /** What goes before pods that have a module. */
  before: pulumi.Resource[];
}

/**
 * The Service of the node port that leads to the gateway's pods. It belongs to no gateway, so that another can take its
 * place: only the pods that it selects change, and nobody else ever asks for the port.
 */
export function entry(
  { selector }: Pick<Placement, "selector">,
  nodePort: number,
): kubernetes.types.input.core.v1.Service {
  return {
    metadata: {
      name: "entry",
      namespace: gatewayNamespace,
      // Pulumi would look on for ten seconds whether its pods stay; the filters' proofs tell more, and sooner.
      annotations: { "pulumi.com/skipAwait": "true" },
    },
    spec: {
      type: "NodePort",
      externalTrafficPolicy: "Cluster", // `Local` leaves the node ports of nodes without a gateway unanswered
      selector,
      ports: [{ name: "http", port: 80, targetPort: 80, nodePort }],
    },
  };
}
