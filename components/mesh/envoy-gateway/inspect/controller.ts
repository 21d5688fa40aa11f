/** Envoy Gateway itself: its pods and its log. */
import type { KubeApi } from "../../../../kube/api.ts";
import { type Pod, podsOf } from "../../../../kube/pods.ts";
import { type Deployment, isRolledOut, restart } from "../../../../kube/rollout.ts";
import { holds } from "../../../../lib/poll.ts";
import { controllerNamespace, name } from "../names.ts";

export function controllerPods(api: KubeApi): Promise<Pod[]> {
  return podsOf(api, controllerNamespace, { "control-plane": name });
}

/** Its log lines about a policy and about modules that it could not get, from `since` (RFC 3339) on. */
export async function controllerComplaints(
  api: KubeApi,
  { policy, since }: { policy: string; since?: string },
): Promise<string[]> {
  const logs = await Promise.all(
    (await controllerPods(api)).map((pod) => api.log(pod.metadata, { container: name, since, tail: 2000 })),
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
  const path = `/apis/apps/v1/namespaces/${controllerNamespace}/deployments/${name}`;
  const before = await api.get<Deployment>(path);
  if (!before?.metadata.managedFields?.some(({ manager = "" }) => manager.startsWith("pulumi"))) return false;
  await restart(api, path);
  const isReady = async () => {
    const now = await api.get<Deployment>(path);
    return now !== undefined && isRolledOut(now);
  };
  await holds(isReady, { timeoutMs, everyMs: 500 });
  return true;
}
