/** What the meshes that live in Kubernetes have in common. */
import { UserError } from "../../lib/errors.ts";
import type { Exposure } from "../cluster/cluster.ts";

/** A resource as its own reference writes it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  /** Without a name, it gets one of its own. */
  metadata: { name?: string; namespace?: string };
  spec: Record<string, unknown>;
}

/** One whose name is known. */
export interface NamedManifest extends Manifest {
  metadata: { name: string; namespace?: string };
}

export type Kind = Pick<Manifest, "apiVersion" | "kind">;

/** Where workloads, routes and policies are. */
export const namespace = "default";

/** A Service's name inside the cluster. */
export const serviceHost = (service: string) => `${service}.${namespace}.svc.cluster.local`;

/**
 * The node port that a gateway is to have, and where it leads from.
 * @throws UserError when the cluster has none to give
 */
export function fixedAddress(mesh: string, exposure: Exposure): { nodePort: number; url: string } {
  if (exposure.type === "nodePort") return exposure;
  throw new UserError(`${mesh} needs a cluster whose gateway has a fixed address so far: meshup:cluster: kind`);
}
