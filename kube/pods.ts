/** The fields of pods that are used here. */
import type { KubeApi, KubeObject } from "./api.ts";

export interface Pod extends KubeObject {
  metadata: KubeObject["metadata"] & { namespace: string; labels?: Record<string, string> };
  spec?: { containers?: { name: string }[]; initContainers?: { name: string }[] };
  status?: {
    phase?: string;
    conditions?: { type: string; status: string; message?: string; lastTransitionTime?: string }[];
    containerStatuses?: ContainerStatus[];
    initContainerStatuses?: ContainerStatus[];
  };
}

export interface ContainerStatus {
  name?: string;
  ready?: boolean;
  restartCount?: number;
  state?: ContainerState;
  lastState?: ContainerState;
}

interface ContainerState {
  waiting?: { reason?: string; message?: string };
  running?: { startedAt?: string };
  terminated?: { exitCode: number; reason?: string };
}

/** The pods with these labels, except those that are being deleted. */
export async function podsOf(api: KubeApi, namespace: string, labels: Record<string, string>): Promise<Pod[]> {
  const selector = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
  const query = new URLSearchParams({ labelSelector: selector.join(",") });
  const pods = await api.list<Pod>(`/api/v1/namespaces/${namespace}/pods?${query}`);
  return pods.filter((pod) => !pod.metadata.deletionTimestamp);
}

export function isReady(pod: Pod): boolean {
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
}

/** RFC 3339; undefined if the pod is not ready. */
export function readySince(pod: Pod): string | undefined {
  return pod.status?.conditions?.find(({ type, status }) => type === "Ready" && status === "True")?.lastTransitionTime;
}

/**
 * Tells whether all containers started after `time` (milliseconds since 1970). Messages about older ones may be
 * outdated.
 */
export function wasStartedSince({ status }: Pod, time: number): boolean {
  // Kubernetes' times are cut to the second.
  return (status?.containerStatuses ?? []).every(
    ({ state }) => Date.parse(state?.running?.startedAt ?? "") >= time - 1000,
  );
}
