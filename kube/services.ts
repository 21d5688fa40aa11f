/** The fields of Services that are used here. */
import type { KubeApi, KubeObject } from "./api.ts";
import { type Pod, podsOf } from "./pods.ts";

export interface Service extends KubeObject {
  spec?: {
    type?: string;
    selector?: Record<string, string>;
    ports?: ServicePort[];
  };
}

export interface ServicePort {
  name?: string;
  port: number;
  protocol?: string;
  /** `kubernetes.io/h2c`, `grpc` … */
  appProtocol?: string;
}

const path = (namespace: string) => `/api/v1/namespaces/${namespace}/services`;

export function serviceOf(api: KubeApi, namespace: string, name: string): Promise<Service | undefined> {
  return api.get<Service>(`${path(namespace)}/${name}`);
}

/** Names of a namespace's Services. */
export async function serviceNames(api: KubeApi, namespace: string): Promise<string[]> {
  return (await api.list<Service>(path(namespace))).map(({ metadata }) => metadata.name).sort();
}

/** Tells whether any endpoint of a Service accepts requests. */
export async function hasReadyEndpoint(api: KubeApi, namespace: string, service: string): Promise<boolean> {
  type Slice = KubeObject & { endpoints?: { conditions?: { ready?: boolean } }[] };
  const query = new URLSearchParams({ labelSelector: `kubernetes.io/service-name=${service}` });
  const slices = await api.list<Slice>(`/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?${query}`);
  // Unknown counts as ready.
  return slices.some(({ endpoints }) => endpoints?.some(({ conditions }) => conditions?.ready !== false));
}

/** What all pods of a selector have in common. */
export async function commonOf(
  api: KubeApi,
  namespace: string,
  selector: Record<string, string>,
): Promise<{ labels: Record<string, string>; containers: string[] }> {
  const [first, ...others] = await podsOf(api, namespace, selector);
  const labels = Object.entries(first?.metadata.labels ?? {}).filter(([name, value]) =>
    others.every(({ metadata }) => metadata.labels?.[name] === value),
  );
  const containers = first
    ? containersOf(first).filter((name) => others.every((pod) => containersOf(pod).includes(name)))
    : [];
  return { labels: { ...Object.fromEntries(labels), ...selector }, containers };
}

/** A sidecar may be one of the init containers. */
function containersOf({ spec }: Pod): string[] {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].map(({ name }) => name);
}
