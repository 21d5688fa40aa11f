/** Sends requests to a Service past every proxy: to one of its pods, through the API server. */
import { LastingError, UserError } from "../lib/errors.ts";
import type { HttpResponse } from "../lib/http.ts";
import { KubeApi, type KubeObject, type PodRequest } from "./api.ts";
import { isReady, type Pod, podsOf } from "./pods.ts";

export interface ServicePort {
  namespace: string;
  service: string;
  port: number;
}

interface Service extends KubeObject {
  spec: {
    selector?: Record<string, string>;
    ports?: { port: number; targetPort?: number | string }[];
  };
}

type Container = { ports?: { name?: string; containerPort: number }[] };

/**
 * Sends a request to a ready pod of a Service. It passes no gateway, and no sidecar, because a sidecar sees only
 * traffic from outside the pod.
 * @throws UserError if there is no such Service, port or ready pod; LastingError if the Service has no pods by design
 */
export async function askService(kubeconfig: string, at: ServicePort, request: PodRequest): Promise<HttpResponse> {
  const { namespace, service, port } = at;
  const api = await KubeApi.open(kubeconfig);
  const found = await api.get<Service>(`/api/v1/namespaces/${namespace}/services/${service}`);
  if (!found) throw new UserError(`there is no Service ${service} in the namespace ${namespace}`);
  const target = found.spec.ports?.find((one) => one.port === port);
  if (!target) throw new UserError(`the Service ${namespace}/${service} has no port ${port}`);
  if (!found.spec.selector) throw new LastingError(`the Service ${namespace}/${service} selects no pods`);
  const pod = (await podsOf(api, namespace, found.spec.selector)).find((one) => isReady(one));
  if (!pod) throw new UserError(`the Service ${namespace}/${service} has no pod that is ready`);
  return api.askPod({ namespace, name: pod.metadata.name }, podPort(pod, target), request);
}

function podPort(pod: Pod, { port, targetPort = port }: { port: number; targetPort?: number | string }): number {
  if (typeof targetPort === "number") return targetPort;
  const containers = (pod.spec as { containers?: Container[] } | undefined)?.containers ?? [];
  const named = containers.flatMap(({ ports = [] }) => ports).find(({ name }) => name === targetPort);
  if (!named) throw new UserError(`the pod ${pod.metadata.name} has no port that is called ${targetPort}`);
  return named.containerPort;
}
