/** A stack's cluster, as its outputs lead to it. */
import { existsSync } from "node:fs";
import { clusterKind, clusterNames } from "../../components/cluster/index.ts";
import type { ClusterInspector } from "../../components/cluster/inspector.ts";
import type { Part } from "../../components/mesh/inspector.ts";
import { clusterInspector } from "../../components/mesh/inspectors.ts";
import type { KubeApi } from "../../kube/api.ts";
import { podsOf } from "../../kube/pods.ts";
import { inThisClone } from "../../lib/clone.ts";
import { stackDir } from "../../lib/paths.ts";
import { configured } from "../stack/configured.ts";
import { outputsOf } from "../stack/outputs.ts";
import type { Deployment } from "../stack/stack.ts";
import { workloadOutputs } from "./workloads.ts";

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

/** A stack, as far as its outputs and its file tell of it. */
export interface StackView {
  name: string;
  /** Its folder in the clone. */
  directory: string;
  /** What stands under `meshup:` in its file, by key. */
  config: Record<string, unknown>;
  /** As they may be shown; none before its first `up` has ended well. */
  outputs: Record<string, unknown>;
}

export function viewOf(name: string, deployment: Deployment | undefined): StackView {
  return { name, directory: stackDir(name), config: configured(name), outputs: outputsOf(deployment) };
}

/** What looks into the kind of cluster that a stack is configured to have; none for one without. */
export async function clusterInspectorOf({ config }: Pick<StackView, "config">): Promise<ClusterInspector | undefined> {
  const { cluster } = config;
  if (typeof cluster !== "string" || !clusterNames.includes(cluster)) return undefined;
  return clusterKind(cluster).inspect?.();
}

/**
 * By the stack's outputs. Those of a stack whose first `up` has failed are not there: it is found by its configuration,
 * where that has led to a kubeconfig file.
 * @returns undefined for a stack that has no cluster
 */
export async function placeOf(stack: StackView): Promise<ClusterPlace | undefined> {
  const { config, outputs } = stack;
  const { kubeconfig = await kubeconfigOf(stack), mesh = config.mesh } = outputs;
  if (typeof kubeconfig !== "string" || typeof mesh !== "string") return undefined;
  return { kubeconfig: inThisClone(kubeconfig), mesh };
}

async function kubeconfigOf(stack: StackView): Promise<string | undefined> {
  const path = (await clusterInspectorOf(stack))?.kubeconfig(stack.name);
  return path !== undefined && existsSync(path) ? path : undefined;
}

/** @param outputs the stack's: `logs` names its own deployments, `workloads` the Services of others */
export async function openCluster(
  { kubeconfig, mesh }: ClusterPlace,
  outputs: Record<string, unknown>,
): Promise<StackCluster> {
  const [{ KubeApi }, inspector] = await Promise.all([import("../../kube/api.ts"), clusterInspector(mesh)]);
  const api = await KubeApi.open(kubeconfig);
  return { api, parts: [...deploymentsOf(outputs, api), ...servicesOf(outputs, api), ...inspector.parts(api)] };
}

/** By name, `NAMESPACE/DEPLOYMENT`: its pods have its name as their label `app`, and their container's. */
function deploymentsOf({ logs }: Record<string, unknown>, api: KubeApi): Part[] {
  return Object.entries(logs ?? {}).flatMap(([name, place]) => {
    const [, namespace, app] = /^([^/]+)\/([^/]+)$/.exec(String(place)) ?? [];
    if (namespace === undefined || app === undefined) return [];
    return [{ name, container: app, pods: () => podsOf(api, namespace, { app }) }];
  });
}

/** Services of others that are workloads of the stack. */
function servicesOf(outputs: Record<string, unknown>, api: KubeApi): Part[] {
  return Object.entries(workloadOutputs(outputs)).flatMap(([name, { pods }]) => {
    if (!pods) return [];
    const { namespace, selector, container } = pods;
    return [{ name, container, pods: () => podsOf(api, namespace, selector) }];
  });
}
