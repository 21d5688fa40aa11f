import type { StackConfig } from "../config/config.ts";
import type { Mesh, MeshArgs } from "./mesh.ts";

/** Each mesh is loaded when it is asked for: Pulumi's SDK for Kubernetes is not needed without a cluster. */
const meshes: Record<StackConfig["mesh"], () => Promise<new (name: string, args: MeshArgs) => Mesh>> = {
  standalone: async () => (await import("./standalone/standalone.ts")).StandaloneMesh,
  "envoy-gateway": async () => (await import("./envoy-gateway/envoy-gateway.ts")).EnvoyGatewayMesh,
  istio: async () => (await import("./istio/istio.ts")).IstioMesh,
};

/** The mesh that the stack's configuration names. */
export async function createMesh(args: MeshArgs): Promise<Mesh> {
  const Mesh = await meshes[args.config.mesh]();
  return new Mesh("mesh", args);
}
