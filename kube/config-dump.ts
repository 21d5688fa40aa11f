/** Reads the configuration of a proxy in a cluster from the proxy itself. */
import { ApiError, type KubeApi } from "./api.ts";
import type { Pod } from "./pods.ts";

/** Several resources of one `up` ask a proxy the same question at the same time. They share the answer. */
const asking = new Map<string, Promise<object>>();

/**
 * The parts of `/config_dump` under `resource`, for example `dynamic_listeners`.
 * @param adminPort port of Envoy's admin interface, on the pod's loopback
 * @returns an empty object if the proxy has none
 */
export function configDump<T extends object>(
  api: KubeApi,
  { pod, adminPort }: { pod: Pod; adminPort: number },
  resource: string,
): Promise<T> {
  const key = `${api.server} ${pod.metadata.uid} ${adminPort} ${resource}`;
  const asked = asking.get(key) ?? ask(api, pod, adminPort, resource).finally(() => asking.delete(key));
  asking.set(key, asked);
  return asked as Promise<T>;
}

async function ask(api: KubeApi, pod: Pod, adminPort: number, resource: string): Promise<object> {
  try {
    return JSON.parse(await api.getFromPod(pod.metadata, adminPort, `/config_dump?resource=${resource}`));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return {}; // "ecds_filters not found in config dump"
    throw error;
  }
}
