/** Envoy Gateway itself: its pods and its log. */
import type { KubeApi } from "../../../../kube/api.ts";
import { type Pod, podsOf } from "../../../../kube/pods.ts";
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
