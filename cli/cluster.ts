/** A stack's cluster, as its state leads to it. */
import { UserError } from "../lib/errors.ts";
import type { KubeApi } from "../provider/kube/api.ts";
import type { ClusterMesh } from "../provider/kube/mesh-proxies.ts";
import { type Pod, podsOf } from "../provider/kube/pods.ts";
import { type Deployment, outputsOf } from "./stack.ts";

/** What runs in a cluster under one name, in one or several pods. */
export interface Part {
  name: string;
  /** The container of its pods that it is about. */
  container: string;
  pods(): Promise<Pod[]>;
}

export interface StackCluster {
  api: KubeApi;
  mesh: ClusterMesh;
  /** The stack's workloads, the mesh's gateway and its control plane. */
  parts: Part[];
}

/** @returns undefined for a stack that has no cluster, or is not up */
export async function openCluster(deployment: Deployment | undefined): Promise<StackCluster | undefined> {
  const { kubeconfig, mesh: name } = outputsOf(deployment);
  if (typeof kubeconfig !== "string") return undefined;
  if (typeof name !== "string")
    throw new UserError(
      "The stack's state does not name its mesh, as an older meshup has made it: npm start mends it.",
    );
  const [{ KubeApi }, { clusterMesh }] = await Promise.all([
    import("../provider/kube/api.ts"),
    import("../provider/kube/mesh-proxies.ts"),
  ]);
  const api = await KubeApi.open(kubeconfig);
  const mesh = clusterMesh(name);
  return { api, mesh, parts: [...workloadsOf(deployment, api), gatewayOf(mesh, api), controlPlaneOf(mesh, api)] };
}

/** Its deployments: each one's pods have its name as their label `app`, and their container's. */
function workloadsOf(deployment: Deployment | undefined, api: KubeApi): Part[] {
  const deployments = deployment?.resources?.filter((r) => r.type === "kubernetes:apps/v1:Deployment") ?? [];
  return deployments.map(({ outputs }) => {
    const { name, namespace } = (outputs as { metadata: { name: string; namespace: string } }).metadata;
    return { name, container: name, pods: () => podsOf(api, namespace, { app: name }) };
  });
}

function gatewayOf(mesh: ClusterMesh, api: KubeApi): Part {
  const proxies = async () => (await mesh.proxies(api)).filter(({ workload }) => workload === "gateway");
  return { name: "gateway", container: mesh.gatewayContainer, pods: async () => (await proxies()).map((p) => p.pod) };
}

function controlPlaneOf({ controlPlane: { name, container, pods } }: ClusterMesh, api: KubeApi): Part {
  return { name, container, pods: () => pods(api) };
}
