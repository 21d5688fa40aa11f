/** Istio's proxies, sidecars and gateways, and their log lines about filters. */
import type { KubeApi } from "../../../../kube/api.ts";
import { type Pod, podsOf } from "../../../../kube/pods.ts";
import { namespace } from "../../manifest.ts";
import { gatewayNamespace } from "../names.ts";

/** The container of pilot-agent and its Envoy. */
export const proxyContainer = "istio-proxy";
/** Envoy's admin interface, on the pod's loopback. */
export const adminPort = 15000;

/** The gateway's pods, ready or not. */
export async function gatewayPods(api: KubeApi): Promise<Pod[]> {
  return (await podsOf(api, gatewayNamespace, {})).filter(hasProxy);
}

/** Pods by their labels. */
export interface PodPlace {
  namespace: string;
  selector: Record<string, string>;
}

/** The workloads' pods that have a sidecar. @param others in other namespaces */
export async function sidecarPods(api: KubeApi, others: PodPlace[] = []): Promise<Pod[]> {
  const places = [{ namespace, selector: {} }, ...others];
  const pods = await Promise.all(places.map(({ namespace, selector }) => podsOf(api, namespace, selector)));
  return pods.flat().filter(hasProxy);
}

/** A sidecar may stand among the init containers: Kubernetes starts those first and lets it run on. */
export function hasProxy({ spec }: Pod): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ name }) => name === proxyContainer);
}

/** The proxy's log lines about Wasm, Lua and refused configuration, each once, the newest last. */
export async function complaintsSince(api: KubeApi, pod: Pod, since?: string): Promise<string[]> {
  // What was said first tells: a filter that logs without end may have said thousands of lines since.
  const part = since === undefined ? { tail: 5000 } : { since, mostBytes: 8 * 1024 * 1024 };
  return complaintLines(await api.log(pod.metadata, { container: proxyContainer, ...part }));
}

/** What a module or a script logs is not what Envoy says, whatever it looks like. */
const ofOthers = /^\[\w+\]\[envoy (?:wasm|lua)\] (?:wasm|script) log\b/;

/** `TIME<tab>LEVEL<tab>SCOPE<tab>MESSAGE`, Envoy's own with file and thread. Those of modules, the newest few, go first. */
export function complaintLines(log: string): string[] {
  const lines = log.split("\n").flatMap((line) => {
    const [, level = "", scope = "", ...rest] = line.split("\t");
    const about = /^(wasm|envoy (wasm|lua|config))/.test(scope) || /gRPC config for .* rejected/.test(line);
    if (!["warn", "warning", "error", "critical"].includes(level) || !about) return [];
    const message = rest.filter((part) => !/^(thread=\d+|external\/\S+)$/.test(part)).join(" ");
    return [`[${level}][${scope.split(" ").slice(0, 2).join(" ")}] ${message}`.trim()];
  });
  const said = [...new Set(lines.reverse())].reverse();
  return [...said.filter((line) => ofOthers.test(line)).slice(-3), ...said.filter((line) => !ofOthers.test(line))];
}
