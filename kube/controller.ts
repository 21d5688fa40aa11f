/** Envoy Gateway itself: its pods and its log. */
import { setTimeout as sleep } from "node:timers/promises";
import type { KubeApi, KubeObject } from "./api.ts";
import { type Pod, podsOf } from "./pods.ts";
import { controllerNamespace } from "./proxy.ts";

export function controllerPods(api: KubeApi): Promise<Pod[]> {
  return podsOf(api, controllerNamespace, { "control-plane": "envoy-gateway" });
}

/** Its log lines about a policy and about modules that it could not get, from `since` (RFC 3339) on. */
export async function controllerComplaints(
  api: KubeApi,
  { policy, since }: { policy: string; since?: string },
): Promise<string[]> {
  const logs = await Promise.all(
    (await controllerPods(api)).map((pod) => api.log(pod.metadata, { container: "envoy-gateway", since, tail: 2000 })),
  );
  return controllerLines(logs.join("\n"), policy);
}

/** `TIME LEVEL LOGGER FILE:LINE MESSAGE {"error": …}`, separated by tabs. */
export function controllerLines(log: string, policy: string): string[] {
  const lines = log.split("\n").flatMap((line) => {
    const [, level, logger, , message = "", fields = ""] = line.split("\t");
    if (level !== "error" && level !== "warn") return [];
    if (logger !== "wasm-cache" && !fields.includes(policy) && !message.includes("rejected")) return [];
    return [`${message} ${fields}`.trim()];
  });
  return [...new Set(lines)];
}

/**
 * Starts Envoy Gateway anew, as `kubectl rollout restart` does, and waits until the new one is ready.
 * @returns false where it is not the stack's own: that one is left alone
 */
export async function restartController(api: KubeApi, timeoutMs = 60_000): Promise<boolean> {
  type Deployment = KubeObject & {
    status?: { observedGeneration?: number; updatedReplicas?: number; readyReplicas?: number; replicas?: number };
  };
  const path = `/apis/apps/v1/namespaces/${controllerNamespace}/deployments/envoy-gateway`;
  const before = await api.get<Deployment>(path);
  if (!before?.metadata.managedFields?.some(({ manager = "" }) => manager.startsWith("pulumi"))) return false;
  const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
  await api.patch(path, { spec: { template: { metadata: { annotations } } } });
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(500)) {
    const { metadata, status = {} } = (await api.get<Deployment>(path)) ?? before;
    const { observedGeneration = 0, updatedReplicas, readyReplicas, replicas } = status;
    const isCurrent = observedGeneration >= (metadata.generation ?? 0) && updatedReplicas === replicas;
    if (isCurrent && readyReplicas === replicas && observedGeneration > (before.metadata.generation ?? 0)) break;
  }
  return true;
}
