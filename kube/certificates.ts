/** Certificates that a release's Helm hooks have created, and the pods that need them. */
import type { KubeApi, KubeObject } from "./api.ts";
import { restart } from "./rollout.ts";

type Secret = KubeObject & { type?: string };
type Deployment = KubeObject & {
  spec?: { template?: { spec?: { volumes?: { secret?: { secretName?: string; optional?: boolean } }[] } } };
};

/**
 * Deletes the certificates that a release's hooks have made: they were signed together, so where one is missing, the
 * upgrade that follows makes all of them anew. Deployments that need them are rolled out: new pods start with the new
 * certificates, the old ones serve until then. A proxy reads the certificate of its authority only once.
 * @param makers field managers whose certificates these are: the programs of the release. Those of others stay
 */
export async function renewCertificates(api: KubeApi, namespace: string, makers: string[]): Promise<void> {
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const left = new Set<string>();
  for (const { type, metadata } of await api.list<Secret>(secrets))
    if (type === "kubernetes.io/tls" && isMadeBy(makers, metadata)) await api.delete(`${secrets}/${metadata.name}`);
    else left.add(metadata.name);
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  for (const { metadata, spec } of await api.list<Deployment>(deployments)) {
    const needed = (spec?.template?.spec?.volumes ?? []).flatMap(({ secret }) => secret ?? []);
    const lacks = needed.some(({ secretName = "", optional }) => !optional && !left.has(secretName));
    if (lacks && (makers.includes(metadata.name) || isMadeBy(makers, metadata)))
      await restart(api, `${deployments}/${metadata.name}`);
  }
}

/** Whether one of these programs has written an object. A program's field manager is its name, unless it says another. */
export function isMadeBy(makers: string[], { managedFields = [] }: KubeObject["metadata"]): boolean {
  return managedFields.some(({ manager }) => manager !== undefined && makers.includes(manager));
}
