/** The registry of what looks into running meshes. Each is loaded when it is asked for. */
import { UserError } from "../../lib/errors.ts";
import { name as envoyGatewayName } from "./envoy-gateway/names.ts";
import type { Inspector, MeshInCluster } from "./inspector.ts";
import { name as istioName } from "./istio/names.ts";
import { name as standaloneName } from "./standalone/names.ts";

export type { AwaitedPolicy, PolicyInForce } from "./envoy-gateway/inspect/ready.ts";
export type { AwaitedFilter, AwaitedProxies } from "./istio/inspect/ready.ts";

export const standalone = () => import("./standalone/inspect.ts");
export const envoyGateway = () => import("./envoy-gateway/inspect/index.ts");
export const istio = () => import("./istio/inspect/index.ts");

const inCluster: Record<string, () => Promise<{ inspector: MeshInCluster }>> = {
  [envoyGatewayName]: envoyGateway,
  [istioName]: istio,
};
const all: Record<string, () => Promise<{ inspector: Inspector }>> = { [standaloneName]: standalone, ...inCluster };

/** @param mesh as configured; what is no mesh is not in a cluster */
export function runsInCluster(mesh: unknown): boolean {
  return typeof mesh === "string" && Object.hasOwn(inCluster, mesh);
}

/** @param mesh as configured */
export function inspector(mesh: string): Promise<Inspector> {
  return find(all, mesh, "there is no mesh");
}

/** @throws UserError for a mesh that runs in no cluster */
export function clusterInspector(mesh: string): Promise<MeshInCluster> {
  return find(inCluster, mesh, "there is no mesh for a cluster named");
}

async function find<T>(
  registry: Record<string, () => Promise<{ inspector: T }>>,
  mesh: string,
  not: string,
): Promise<T> {
  const load = Object.hasOwn(registry, mesh) ? registry[mesh] : undefined;
  if (!load) throw new UserError(`${not} ${mesh}; there are ${Object.keys(registry).join(", ")}`);
  return (await load()).inspector;
}
