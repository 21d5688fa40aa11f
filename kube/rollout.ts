/** Whether a Deployment's pods are the new ones and take requests; and what keeps them from it. */
import type { KubeApi, KubeObject } from "./api.ts";
import { isReady, type Pod, podsOf } from "./pods.ts";

export interface Deployment extends KubeObject {
  spec?: { replicas?: number; selector?: { matchLabels?: Record<string, string> } };
  status?: { observedGeneration?: number; replicas?: number; updatedReplicas?: number; availableReplicas?: number };
}

/** All its pods are of its current generation, and ready; those before have gone. */
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

/** What a pod is held up by. */
export interface Trouble {
  pod: string;
  container: string;
  what: string;
  /** Its log has more to say: of the container that runs, or of the one before it. */
  log?: "current" | "previous";
  /** It will not pass by itself. */
  isFinal: boolean;
}

/** What it needs may come up with it, and one that fails for want of it is started again; this often is in vain. */
const mostRestarts = 2;

/** Reasons of a container that waits for somebody to mend what its declaration says. */
const final = [
  "InvalidImageName",
  "ErrImageNeverPull",
  "ImagePullBackOff",
  "CreateContainerConfigError",
  "CreateContainerError",
];

/** What keeps a pod from being ready; undefined where it is, or only needs time. */
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
