/** A stack's cluster, as its state leads to it. */
import type { KindSpec } from "../../components/cluster/kind/config.ts";
import type { KubeApi } from "../../kube/api.ts";
import type { ClusterMesh } from "../../kube/mesh-proxies.ts";
import { type Pod, podsOf } from "../../kube/pods.ts";
import { inThisClone } from "../../lib/clone.ts";
import { outputsOf } from "../stack/outputs.ts";
import type { Deployment } from "../stack/stack.ts";
import { workloadOutputs } from "./workloads.ts";

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

/** Where a stack's cluster is, and which mesh is in it. */
export interface ClusterPlace {
  /** Absolute path. */
  kubeconfig: string;
  /** As configured: `envoy-gateway`, `istio`. */
  mesh: string;
}

/**
 * By the stack's outputs; those of a stack whose first `up` has failed are not there, but what it has made is.
 * @returns undefined for a stack that has no cluster
 */
export function clusterOf(deployment: Deployment | undefined): ClusterPlace | undefined {
  const { kubeconfig = kindOf(deployment)?.kubeconfig, mesh = meshOf(deployment) } = outputsOf(deployment);
  if (typeof kubeconfig !== "string" || typeof mesh !== "string") return undefined;
  return { kubeconfig: inThisClone(kubeconfig), mesh };
}

/** What the command that makes a kind cluster was told. */
export function kindOf(deployment: Deployment | undefined): KindSpec | undefined {
  const stdin = deployment?.resources?.find((r) => r.type === "command:local:Command" && !r.delete)?.inputs?.stdin;
  return typeof stdin === "string" ? JSON.parse(stdin) : undefined;
}

const meshTypes: Record<string, string> = {
  "meshup:mesh:EnvoyGateway": "envoy-gateway",
  "meshup:mesh:Istio": "istio",
};

function meshOf(deployment: Deployment | undefined): string | undefined {
  return deployment?.resources?.map(({ type }) => meshTypes[type]).find((mesh) => mesh !== undefined);
}

/** @returns undefined for a stack that has no cluster, or is not up */
export async function openCluster(deployment: Deployment | undefined): Promise<StackCluster | undefined> {
  const place = clusterOf(deployment);
  if (!place) return undefined;
  const [{ KubeApi }, { clusterMesh }] = await Promise.all([
    import("../../kube/api.ts"),
    import("../../kube/mesh-proxies.ts"),
  ]);
  const api = await KubeApi.open(place.kubeconfig);
  const mesh = clusterMesh(place.mesh);
  const workloads = [...workloadsOf(deployment, api), ...servicesOf(deployment, api)];
  return { api, mesh, parts: [...workloads, gatewayOf(mesh, api), controlPlaneOf(mesh, api)] };
}

/** Its deployments: each one's pods have its name as their label `app`, and their container's. */
function workloadsOf(deployment: Deployment | undefined, api: KubeApi): Part[] {
  const deployments = deployment?.resources?.filter((r) => r.type === "kubernetes:apps/v1:Deployment") ?? [];
  return deployments.map(({ outputs }) => {
    const { name, namespace } = (outputs as { metadata: { name: string; namespace: string } }).metadata;
    return { name, container: name, pods: () => podsOf(api, namespace, { app: name }) };
  });
}

/** Services of others that are workloads of the stack. */
function servicesOf(deployment: Deployment | undefined, api: KubeApi): Part[] {
  return Object.entries(workloadOutputs(outputsOf(deployment))).flatMap(([name, { pods }]) => {
    if (!pods) return [];
    const { namespace, selector, container } = pods;
    return [{ name, container, pods: () => podsOf(api, namespace, selector) }];
  });
}

function gatewayOf(mesh: ClusterMesh, api: KubeApi): Part {
  const proxies = async () => (await mesh.proxies(api)).filter(({ workload }) => workload === "gateway");
  return { name: "gateway", container: mesh.gatewayContainer, pods: async () => (await proxies()).map((p) => p.pod) };
}

function controlPlaneOf({ controlPlane: { name, container, pods } }: ClusterMesh, api: KubeApi): Part {
  return { name, container, pods: () => pods(api) };
}
