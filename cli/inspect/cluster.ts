/** A stack's cluster, as its outputs lead to it. */
import { existsSync } from "node:fs";
import { clusterKind, clusterNames } from "../../components/cluster/index.ts";
import type { Part } from "../../components/mesh/inspector.ts";
import { clusterInspector } from "../../components/mesh/inspectors.ts";
import type { KubeApi } from "../../kube/api.ts";
import { podsOf } from "../../kube/pods.ts";

export interface StackCluster {
  api: KubeApi;
  /** The stack's workloads, the mesh's gateway and its control plane. */
  parts: Part[];
}

/** Where a stack's cluster is, and which mesh is in it. */
export interface ClusterPlace {
  /** Absolute path. */
  kubeconfig: string;
  /** As configured: `meshup:mesh`. */
  mesh: string;
}

/**
 * By the stack's outputs. Those of a stack whose first `up` has failed are not there: it is found by its configuration,
 * where that has led to a kubeconfig file.
 * @param config what stands under `meshup:` in the stack's file
 * @returns undefined for a stack that has no cluster
 */
export async function placeOf(
  stack: string,
  outputs: Record<string, unknown>,
  config: Record<string, unknown>,
): Promise<ClusterPlace | undefined> {
  const { kubeconfig = await kubeconfigOf(stack, config), mesh = config.mesh } = outputs;
  return typeof kubeconfig === "string" && typeof mesh === "string" ? { kubeconfig, mesh } : undefined;
}

async function kubeconfigOf(stack: string, { cluster }: Record<string, unknown>): Promise<string | undefined> {
  if (typeof cluster !== "string" || !clusterNames.includes(cluster)) return undefined;
  const path = (await clusterKind(cluster).inspect?.())?.kubeconfig(stack);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** @param outputs the stack's; its `logs` name its workloads */
export async function openCluster(
  { kubeconfig, mesh }: ClusterPlace,
  outputs: Record<string, unknown>,
): Promise<StackCluster> {
  const [{ KubeApi }, inspector] = await Promise.all([import("../../kube/api.ts"), clusterInspector(mesh)]);
  const api = await KubeApi.open(kubeconfig);
  return { api, parts: [...workloadsOf(outputs.logs, api), ...inspector.parts(api)] };
}

/** By name, `NAMESPACE/DEPLOYMENT`: its pods have its name as their label `app`, and their container's. */
function workloadsOf(logs: unknown, api: KubeApi): Part[] {
  return Object.entries(logs ?? {}).flatMap(([name, place]) => {
    const [, namespace, app] = /^([^/]+)\/([^/]+)$/.exec(String(place)) ?? [];
    if (namespace === undefined || app === undefined) return [];
    return [{ name, container: app, pods: () => podsOf(api, namespace, { app }) }];
  });
}
