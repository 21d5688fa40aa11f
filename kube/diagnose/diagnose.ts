/** From the engine on this machine to a header on a response: which step is broken, and how to mend it. */
import { messageOf, UserError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { httpRequest } from "../../lib/http.ts";
import { KubeApi, type KubeObject } from "../api.ts";
import type { Condition } from "../policy.ts";
import { envoyGatewaySteps } from "./envoy-gateway.ts";
import { istioSteps } from "./istio.ts";
import { Broken, type DiagnosedFilter, type MeshSteps, type Step, Steps, up } from "./steps.ts";

const meshes: Record<string, MeshSteps> = { "envoy-gateway": envoyGatewaySteps, istio: istioSteps };

export interface DiagnoseArgs {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** The kind cluster's name; none for a cluster elsewhere. */
  kind?: string;
  /** The registry as this machine reaches it: `http://127.0.0.1:5001`, and its container. */
  registry?: { url: string; container: string };
  /** Finds what of the stack's objects is gone or changed, a line for each. */
  drift?(api: KubeApi): Promise<string[]>;
  /** As configured: `meshup:mesh`. */
  mesh: string;
  filters: DiagnosedFilter[];
}

/** Goes through the steps in order. What a broken step leaves unknown is not looked at; what is independent of it is. */
export async function diagnose(args: DiagnoseArgs): Promise<Step[]> {
  const { kubeconfig, kind, registry, drift, mesh, filters } = args;
  const steps = new Steps();
  const { check } = steps;

  if (kind !== undefined) {
    await check("docker", [], docker);
    await check("cluster", ["docker"], () => kindContainer(kind));
  }
  let api: KubeApi | undefined;
  const ofKind = kind === undefined ? [] : ["cluster"];
  await check("kubernetes API", ofKind, async () => {
    api = await KubeApi.open(kubeconfig);
    const version = await api.get<{ gitVersion: string }>("/version");
    return `${version?.gitVersion} at ${api.server}`;
  });
  await check("nodes", ["kubernetes API"], () => nodes(api as KubeApi));
  if (drift) await check("objects", ["kubernetes API"], async () => objects(await drift(api as KubeApi)));
  if (registry) {
    await check("registry", kind === undefined ? [] : ["docker"], () => registryAnswers(registry));
    for (const { name, image } of filters)
      if (image) await check(`image of ${name}`, ["registry"], () => imageIsThere(registry.url, image));
  }
  const ofMesh = meshes[mesh];
  if (!ofMesh) throw new UserError(`${mesh} is no mesh in a cluster; those are ${Object.keys(meshes).join(", ")}`);
  // Without an API every step of the mesh needs the nodes, and none is looked at.
  await ofMesh(check, api as KubeApi, filters);
  return steps.all;
}

async function docker(): Promise<string> {
  const result = await exec("docker", ["version", "--format", "{{.Server.Version}}"], { timeoutMs: 10_000 }).catch(
    (error) => {
      throw new Broken(messageOf(error), "install Docker: https://docs.docker.com/get-docker/");
    },
  );
  if (result.code !== 0)
    throw new Broken(
      firstLine(result.stderr),
      "start Docker (you need the right to use it), then `npm start -- STACK`",
    );
  return `engine ${result.stdout.trim()}`;
}

async function kindContainer(name: string): Promise<string> {
  return running(`${name}-control-plane`, "the cluster");
}

async function running(container: string, what: string): Promise<string> {
  const format = ["--format", "{{.State.Status}}"];
  const result = await exec("docker", ["container", "inspect", ...format, container], { timeoutMs: 10_000 });
  if (result.code !== 0) throw new Broken(`there is no container ${container}`, up);
  const status = result.stdout.trim();
  if (status === "restarting")
    throw new Broken(`${what}'s container ends again and again`, `docker logs ${container} says why`);
  if (status !== "running")
    throw new Broken(
      `${what}'s container is ${status}`,
      `docker ${status === "paused" ? "unpause" : "start"} ${container}`,
    );
  return `container ${container} runs`;
}

async function nodes(api: KubeApi): Promise<string> {
  type Node = KubeObject & { status?: { conditions?: Condition[] } };
  const all = await api.list<Node>("/api/v1/nodes");
  const unready = all.filter((node) => node.status?.conditions?.find((c) => c.type === "Ready")?.status !== "True");
  if (all.length === 0) throw new Broken("the cluster has no nodes", up);
  if (unready.length > 0) {
    const names = unready.map((node) => node.metadata.name);
    throw new Broken(`not ready: ${names.join(", ")}`, `KUBECTL describe node ${names[0]} says why`);
  }
  return `${all.length} ready`;
}

async function objects(drift: string[]): Promise<string> {
  if (drift.length === 0) return "all that the stack has made is there as it was made";
  throw new Broken(drift.join("\n"), "`npm start -- STACK` puts all of it back");
}

async function registryAnswers({ url, container }: { url: string; container: string }): Promise<string> {
  await running(container, "the registry");
  const { status } = await httpRequest({ url: `${url}/v2/`, timeoutMs: 5000 }).catch((error) => {
    throw new Broken(messageOf(error), `docker logs ${container} says why`);
  });
  if (status !== 200 && status !== 401)
    throw new Broken(`${url} answers ${status}`, `docker logs ${container} says why`);
  return `answers at ${url}`;
}

async function imageIsThere(
  url: string,
  { repository, digest }: { repository: string; digest: string },
): Promise<string> {
  const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
  const address = `${url}/v2/${repository}/manifests/${digest}`;
  const { status } = await httpRequest({ url: address, method: "HEAD", headers: { accept }, timeoutMs: 5000 });
  if (status === 401) return `${repository}: the registry asks for a password; not looked at`;
  if (status !== 200)
    throw new Broken(`${repository}@${digest}: ${status}`, "`npm start -- STACK` pushes the image anew");
  return `${repository}@${digest}`;
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
