/** Diagnostic steps for any cluster: its API server, its nodes, the images in its registry. */
import { httpRequest } from "../lib/http.ts";
import { Broken, type Check, up } from "../lib/steps.ts";
import { KubeApi, type KubeObject } from "./api.ts";

/**
 * @param needs the steps that the API server depends on
 * @returns undefined if the API server does not answer; the step "nodes" is broken then
 */
export async function diagnoseCluster(kubeconfig: string, needs: string[], check: Check): Promise<KubeApi | undefined> {
  let api: KubeApi | undefined;
  await check("kubernetes API", needs, async () => {
    const opened = await KubeApi.open(kubeconfig);
    const version = await opened.get<{ gitVersion: string }>("/version");
    api = opened;
    return `${version?.gitVersion} at ${opened.server}`;
  });
  await check("nodes", ["kubernetes API"], () => nodes(api as KubeApi));
  return api;
}

async function nodes(api: KubeApi): Promise<string> {
  type Node = KubeObject & { status?: { conditions?: { type: string; status: string }[] } };
  const all = await api.list<Node>("/api/v1/nodes");
  const unready = all.filter((node) => node.status?.conditions?.find((c) => c.type === "Ready")?.status !== "True");
  if (all.length === 0) throw new Broken("the cluster has no nodes", up);
  if (unready.length > 0) {
    const names = unready.map((node) => node.metadata.name);
    throw new Broken(`not ready: ${names.join(", ")}`, `KUBECTL describe node ${names[0]} says why`);
  }
  return `${all.length} ready`;
}

/** @param drift the stack's objects that are missing or changed, one line each */
export function objectsStep(drift: string[]): string {
  if (drift.length === 0) return "all that the stack has made is there as it was made";
  throw new Broken(drift.join("\n"), "`npm start -- STACK` puts all of it back");
}

/**
 * Checks whether an image is in a registry.
 * @param url the registry's address from this machine
 * @param image repository in the registry, and the manifest's `sha256:…`
 */
export async function imageIsThere(url: string, image: { repository: string; digest: string }): Promise<string> {
  const { repository, digest } = image;
  const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
  const address = `${url}/v2/${repository}/manifests/${digest}`;
  const { status } = await httpRequest({ url: address, method: "HEAD", headers: { accept }, timeoutMs: 5000 });
  if (status === 401) return `${repository}: the registry asks for a password; not looked at`;
  if (status !== 200)
    throw new Broken(`${repository}@${digest}: ${status}`, "`npm start -- STACK` pushes the image anew");
  return `${repository}@${digest}`;
}
