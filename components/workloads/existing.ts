/** What is to be in the cluster already: whether it is there, and of use. */
import { existsSync } from "node:fs";
import { KubeApi } from "../../kube/api.ts";
import {
  commonOf,
  hasReadyEndpoint,
  type Service,
  type ServicePort,
  serviceNames,
  serviceOf,
} from "../../kube/services.ts";
import { UserError } from "../../lib/errors.ts";
import type { Backend, HttpVersions } from "./backend.ts";
import type { Declaration } from "./declared.ts";
import { KeyError } from "./reach.ts";

/** @throws KeyError what is wrong with it */
export async function findService(
  name: string,
  { service: wanted }: Declaration<"service">,
  kubeconfig: string,
): Promise<Backend> {
  const api = await openCluster("service", kubeconfig, "bring the stack up without it, apply it, and then name it");
  const { namespace, port } = wanted;
  const at = `${namespace}/${wanted.name}`;
  const service = await serviceOf(api, namespace, wanted.name);
  if (!service) throw new KeyError("service", `there is no Service ${at}${await others(api, namespace)}`);
  if (service.spec?.type === "ExternalName")
    throw new KeyError("service", `${at} is but another name for a host: make it a url`);
  const found = portOf(service, port);
  if (!found) throw new KeyError("service.port", `the Service ${at} has no port ${port}; it has ${portsOf(service)}`);
  if (!(await hasReadyEndpoint(api, namespace, wanted.name)))
    throw new KeyError("service", `no pod of the Service ${at} is ready: every request would be answered 503`);
  const selector = service.spec?.selector;
  const pods = selector && { namespace, selector, ...(await commonOf(api, namespace, selector)) };
  return {
    name,
    at: { type: "service", namespace, service: wanted.name, port, http: spoken(found) },
    ...(pods && { pods }),
  };
}

/** @throws KeyError when the Secret is not there, or is none to pull images with */
export async function findSecret(
  key: string,
  { namespace, name }: { namespace: string; name: string },
  kubeconfig: string,
): Promise<void> {
  const instead = `{ secret: KEY } has the stack make one`;
  const api = await openCluster(key, kubeconfig, instead);
  const secret = await api.get<{ type?: string }>(`/api/v1/namespaces/${namespace}/secrets/${name}`);
  if (!secret) throw new KeyError(key, `there is no Secret ${name} in the namespace ${namespace}; ${instead}`);
  if (secret.type !== pullSecretType)
    throw new KeyError(
      key,
      `the Secret ${name} is of type ${secret.type}; images are pulled with one of type ${pullSecretType}`,
    );
}

const pullSecretType = "kubernetes.io/dockerconfigjson";

/** @param first what to do where there is no cluster */
async function openCluster(key: string, kubeconfig: string, first: string): Promise<KubeApi> {
  if (!existsSync(kubeconfig)) throw new KeyError(key, `the stack's cluster is not there yet: ${first}`);
  const api = await KubeApi.open(kubeconfig);
  try {
    await api.get("/version");
    return api;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new KeyError(key, `${error.message} Where it has gone, ${first}`);
  }
}

async function others(api: KubeApi, namespace: string): Promise<string> {
  const names = await serviceNames(api, namespace);
  if (names.length > 0) return `; ${namespace} has ${names.join(", ")}`;
  const isThere = (await api.get(`/api/v1/namespaces/${namespace}`)) !== undefined;
  return isThere ? "; the namespace has none" : `, nor a namespace ${namespace}`;
}

function portOf({ spec }: Service, port: number): ServicePort | undefined {
  return spec?.ports?.find((one) => one.port === port && (one.protocol ?? "TCP") === "TCP");
}

function portsOf({ spec }: Service): string {
  const all = spec?.ports ?? [];
  return (
    all.map(({ port, name, protocol = "TCP" }) => [port, name, protocol].filter(Boolean).join(" ")).join(", ") || "none"
  );
}

/** As its port says, by the words that meshes go by. */
function spoken({ name = "", appProtocol = "" }: ServicePort): HttpVersions {
  return /^(grpc|http2|h2c)(-|$)/.test(name) || /^(grpc|http2|h2c|kubernetes\.io\/h2c)$/.test(appProtocol) ? 2 : 1;
}
