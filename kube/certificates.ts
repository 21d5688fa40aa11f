/** Certificates that a release's Helm hooks have created, and the pods that need them. */
import type { KubeApi, KubeObject } from "./api.ts";

type Secret = KubeObject & { type?: string };
type Deployment = KubeObject & {
  spec?: { template?: { spec?: { volumes?: { secret?: { secretName?: string; optional?: boolean } }[] } } };
};

/** Field managers of objects that users have created, with Pulumi or by hand. */
const byPeople = /^(pulumi|kubectl)/;

/**
 * Deletes the certificates that the hooks of the releases in a namespace have made: they were signed together, so where
 * one is missing, the upgrade that follows makes all of them anew. Pods that need them are rolled out: the new ones start
 * with the new certificates, the old ones serve until then. A proxy reads its authority's certificate only once.
 */
export async function renewCertificates(api: KubeApi, namespace: string): Promise<void> {
  const secrets = `/api/v1/namespaces/${namespace}/secrets`;
  const left = new Set<string>();
  for (const { type, metadata } of await api.list<Secret>(secrets))
    if (type === "kubernetes.io/tls" && !metadata.managedFields?.some(({ manager = "" }) => byPeople.test(manager)))
      await api.delete(`${secrets}/${metadata.name}`);
    else left.add(metadata.name);
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const annotations = { "kubectl.kubernetes.io/restartedAt": new Date().toISOString() };
  for (const { metadata, spec } of await api.list<Deployment>(deployments)) {
    const needed = (spec?.template?.spec?.volumes ?? []).flatMap(({ secret }) => secret ?? []);
    if (needed.some(({ secretName = "", optional }) => !optional && !left.has(secretName)))
      await api.patch(`${deployments}/${metadata.name}`, { spec: { template: { metadata: { annotations } } } });
  }
}
