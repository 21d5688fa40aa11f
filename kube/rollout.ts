/** Tells whether a Deployment's new pods are ready, and what prevents it. */
import type { KubeApi, KubeObject } from "./api.ts";
import { isReady, type Pod, podsOf } from "./pods.ts";

export interface Deployment extends KubeObject {
  spec?: { replicas?: number; selector?: { matchLabels?: Record<string, string> } };
  status?: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
}

/** All its pods are of its current generation and ready, and the earlier pods are gone. */
export function isRolledOut({ metadata, spec, status = {} }: Deployment): boolean {
  const wanted = spec?.replicas ?? 1;
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0 } = status;
  return (
    observedGeneration >= (metadata.generation ?? 0) &&
    updatedReplicas === wanted &&
    replicas === wanted &&
    availableReplicas === wanted
  );
}

/** The annotation of a pod template by which `kubectl rollout restart` makes new pods. */
export const restartedAt = "kubectl.kubernetes.io/restartedAt";

/** Replaces a Deployment's pods, as `kubectl rollout restart` does. Does not wait. @param path of the Deployment */
export async function restart(api: KubeApi, path: string): Promise<void> {
  const annotations = { [restartedAt]: new Date().toISOString() };
  await api.patch(path, { spec: { template: { metadata: { annotations } } } });
}

/** The pods of a Deployment's newest ReplicaSet. */
export async function newestPods(api: KubeApi, namespace: string, labels: Record<string, string>): Promise<Pod[]> {
  type ReplicaSet = KubeObject & {
    metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  };
  const selector = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const query = new URLSearchParams({ labelSelector: selector.join(",") });
  const sets = await api.list<ReplicaSet>(`/apis/apps/v1/namespaces/${namespace}/replicasets?${query}`);
  const revision = ({ metadata }: ReplicaSet) =>
    Number(metadata.annotations?.["deployment.kubernetes.io/revision"] ?? 0);
  const newest = sets.sort((a, b) => revision(b) - revision(a))[0];
  const hash = newest?.metadata.labels?.[hashLabel];
  return hash === undefined ? [] : podsOf(api, namespace, { ...labels, [hashLabel]: hash });
}

const hashLabel = "pod-template-hash";

/** What prevents a pod from being ready. */
export interface Trouble {
  pod: string;
  container: string;
  what: string;
  /** Which log has more details: the running container's, or the previous one's. */
  log?: "current" | "previous";
  /** True if waiting does not help. */
  isFinal: boolean;
}

/**
 * A container may fail until the services that it needs are up, and is restarted. After this many restarts the failure
 * is final.
 */
const mostRestarts = 2;

/** Waiting reasons that remain until someone corrects the declaration. */
const final = [
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImagePullBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
];

/** What prevents a pod from being ready; undefined if it is ready or only needs time. */
export function troubleOf(pod: Pod): Trouble | undefined {
  if (isReady(pod)) return undefined;
  const { name } = pod.metadata;
  for (const status of [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])]) {
    const { name: container = "", state = {}, lastState, restartCount = 0, ready } = status;
    const ended = state.terminated ?? lastState?.terminated;
    if (!ready && ended && !state.running) {
      const signal = ended.reason && !["Error", "Completed"].includes(ended.reason) ? ` (${ended.reason})` : "";
      const what = `exited with code ${ended.exitCode}${signal}`;
      const log = state.terminated ? "current" : "previous";
      return { pod: name, container, what, log, isFinal: restartCount >= mostRestarts };
    }
    const { reason = "", message } = state.waiting ?? {};
    if (reason === "" || reason === "ContainerCreating" || reason === "PodInitializing") continue;
    const what = `waits: ${message ? `${reason}: ${message}` : reason}`;
    return { pod: name, container, what, isFinal: final.includes(reason) };
  }
  const unscheduled = pod.status?.conditions?.find(({ type, status }) => type === "PodScheduled" && status === "False");
  if (unscheduled?.message) return { pod: name, container: "", what: unscheduled.message, isFinal: false };
  const [first] = (pod.status?.containerStatuses ?? []).filter(({ ready, state }) => !ready && state?.running);
  return (
    first && { pod: name, container: first.name ?? "", what: "runs, but is not ready", log: "current", isFinal: false }
  );
}
