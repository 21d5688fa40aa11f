/** From the engine on this machine to a header on a response: which step is broken, and how to mend it. */
import { messageOf } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { httpRequest } from "../../lib/http.ts";
import { prove } from "../proof.ts";
import { KubeApi, type KubeObject } from "./api.ts";
import { controllerLines, controllerPods } from "./controller.ts";
import type { Pod } from "./pods.ts";
import { advice, type Condition, judge, type Policy } from "./policy.ts";
import { complaints, controllerNamespace, digestOf, proxyPods, served } from "./proxy.ts";

export interface DiagnoseArgs {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** The kind cluster's name; none for a cluster elsewhere. */
  kind?: string;
  /** The registry as this machine reaches it: `http://127.0.0.1:5001`, and its container. */
  registry?: { url: string; container: string };
  gateway?: { namespace: string; name: string };
  filters: DiagnosedFilter[];
}

export interface DiagnosedFilter {
  name: string;
  /** sha256 of module or script, hex. */
  digest: string;
  /** Where a request shows it, and what it shows. */
  url: string;
  headers?: Record<string, string>;
  expect: Record<string, string>;
  /** Its image, where it is delivered by one: below the registry, and the manifest's `sha256:…`. */
  image?: { repository: string; digest: string };
}

export interface Step {
  name: string;
  /** undefined: not looked at, since a step before it is broken. */
  ok?: boolean;
  /** What was seen, in one line or a few. */
  detail: string;
  /** How to mend it, in one line. */
  mend?: string;
}

/** A broken step: what was seen, and how to mend it. */
class Broken extends Error {
  readonly mend: string;

  constructor(detail: string, mend: string) {
    super(detail);
    this.mend = mend;
  }
}

const up = "npm start -- STACK makes what is missing (STACK: this stack's name)";

/** Goes through the steps in order. What a broken step leaves unknown is not looked at; what is independent of it is. */
export async function diagnose(args: DiagnoseArgs): Promise<Step[]> {
  const { kubeconfig, kind, registry, gateway = { namespace: "default", name: "gateway" }, filters } = args;
  const steps: Step[] = [];
  const broken = new Set<string>();
  const check = async (name: string, needs: string[], look: () => Promise<string>) => {
    const missing = needs.find((need) => broken.has(need));
    if (missing) {
      broken.add(name);
      steps.push({ name, detail: `not looked at: ${missing} is broken` });
      return;
    }
    try {
      steps.push({ name, ok: true, detail: await look() });
    } catch (error) {
      broken.add(name);
      steps.push({ name, ok: false, detail: messageOf(error), mend: error instanceof Broken ? error.mend : up });
    }
  };

  if (kind !== undefined) {
    await check("docker", [], docker);
    await check("cluster", ["docker"], () => kindContainer(kind));
  }
  let api: KubeApi;
  const ofKind = kind === undefined ? [] : ["cluster"];
  await check("kubernetes API", ofKind, async () => {
    api = await KubeApi.open(kubeconfig);
    const version = await api.get<{ gitVersion: string }>("/version");
    return `${version?.gitVersion} at ${api.server}`;
  });
  await check("nodes", ["kubernetes API"], () => nodes(api));
  if (registry) {
    await check("registry", kind === undefined ? [] : ["docker"], () => registryAnswers(registry));
    for (const { name, image } of filters)
      if (image) await check(`image of ${name}`, ["registry"], () => imageIsThere(registry.url, image));
  }
  await check("Envoy Gateway", ["nodes"], () => controller(api));
  await check("its Wasm cache", ["Envoy Gateway"], () => wasmCache(api));
  await check("Gateway", ["Envoy Gateway"], () => programmed(api, gateway));
  await check("policies", ["Gateway", "its Wasm cache"], () => policies(api, gateway.namespace));
  await check("proxy", ["Gateway"], () => proxies(api, gateway));
  for (const filter of filters) {
    await check(`module of ${filter.name}`, ["proxy"], () => moduleInForce(api, gateway, filter));
    await check(`request for ${filter.name}`, ["proxy"], () => request(api, gateway, filter));
  }
  return steps;
}

async function docker(): Promise<string> {
  const result = await exec("docker", ["version", "--format", "{{.Server.Version}}"], { timeoutMs: 10_000 }).catch(
    (error) => {
      throw new Broken(messageOf(error), "install Docker: https://docs.docker.com/get-docker/");
    },
  );
  if (result.code !== 0) throw new Broken(firstLine(result.stderr), "start Docker; you need the right to use it");
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
  if (status !== "running") throw new Broken(`${what}'s container is ${status}`, `docker start ${container}`);
  return `container ${container} runs`;
}

async function nodes(api: KubeApi): Promise<string> {
  type Node = KubeObject & { status?: { conditions?: Condition[] } };
  const all = await api.list<Node>("/api/v1/nodes");
  const unready = all.filter((node) => node.status?.conditions?.find((c) => c.type === "Ready")?.status !== "True");
  if (all.length === 0) throw new Broken("the cluster has no nodes", up);
  if (unready.length > 0) {
    const names = unready.map((node) => node.metadata.name);
    throw new Broken(`not ready: ${names.join(", ")}`, `kubectl describe node ${names[0]} says why`);
  }
  return `${all.length} ready`;
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
  if (status !== 200) throw new Broken(`${repository}@${digest}: ${status}`, `${up}: it pushes the image anew`);
  return `${repository}@${digest}`;
}

async function controller(api: KubeApi): Promise<string> {
  type Deployment = KubeObject & { status?: { readyReplicas?: number; conditions?: Condition[] } };
  const path = `/apis/apps/v1/namespaces/${controllerNamespace}/deployments/envoy-gateway`;
  const deployment = await api.get<Deployment>(path);
  if (!deployment) throw new Broken(`there is no deployment envoy-gateway in ${controllerNamespace}`, up);
  if ((deployment.status?.readyReplicas ?? 0) > 0) return `${deployment.status?.readyReplicas} ready`;
  const why = deployment.status?.conditions?.find((c) => c.status === "False")?.message ?? "no pod is ready";
  throw new Broken(why, `kubectl -n ${controllerNamespace} describe pods -l control-plane=envoy-gateway says why`);
}

/** Set once, when Envoy Gateway starts, and never tried again. */
async function wasmCache(api: KubeApi): Promise<string> {
  const logs = await Promise.all(
    (await controllerPods(api)).map((pod) => api.log(pod.metadata, { container: "envoy-gateway" })),
  );
  const lines = logs.join("\n").split("\n");
  const restart = `kubectl -n ${controllerNamespace} rollout restart deployment envoy-gateway`;
  if (lines.some((line) => line.includes("cache is not initialized")))
    throw new Broken("wasm cache is not initialized: Envoy Gateway started without its certificates", restart);
  if (lines.some((line) => /wasm-cache\b.*Listening on/.test(line))) return "serves modules to proxies";
  return "its log no longer reaches back to its start; nothing in it tells of a fault";
}

async function programmed(api: KubeApi, { namespace, name }: { namespace: string; name: string }): Promise<string> {
  type Gateway = KubeObject & { status?: { conditions?: Condition[]; addresses?: { value: string }[] } };
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/gateways/${name}`;
  const gateway = await api.get<Gateway>(path);
  if (!gateway) throw new Broken(`there is no Gateway ${namespace}/${name}`, up);
  const bad = gateway.status?.conditions?.find(
    (c) => ["Accepted", "Programmed"].includes(c.type) && c.status !== "True",
  );
  if (bad)
    throw new Broken(`${bad.type}: ${bad.reason}: ${bad.message}`, "kubectl describe envoyproxy,service -A says more");
  if (!gateway.status?.conditions?.some((c) => c.type === "Programmed"))
    throw new Broken("no control plane has taken it up", "is its GatewayClass there? kubectl get gatewayclass");
  return `programmed, at ${gateway.status.addresses?.map(({ value }) => value).join(", ")}`;
}

async function policies(api: KubeApi, namespace: string): Promise<string> {
  const path = `/apis/gateway.envoyproxy.io/v1alpha1/namespaces/${namespace}/envoyextensionpolicies`;
  const all = await api.list<Policy>(path);
  const verdicts = all.map((policy) => ({ name: policy.metadata.name, verdict: judge(policy) }));
  const refused = verdicts.flatMap(({ name, verdict }) =>
    verdict.state === "refused" ? [{ line: `${name}: ${verdict.reason}: ${verdict.message}`, ...verdict }] : [],
  );
  const first = refused[0];
  if (first) {
    const todo = advice(first.message) || advice(first.reason) || "mend the filter's declaration, then run `up`";
    throw new Broken(refused.map(({ line }) => line).join("\n"), todo);
  }
  const waiting = verdicts.flatMap(({ name, verdict }) =>
    verdict.state === "waiting" ? [`${name}: ${verdict.why}`] : [],
  );
  if (waiting.length > 0) throw new Broken(waiting.join("\n"), up);
  return `${all.length} accepted`;
}

async function proxies(api: KubeApi, gateway: { namespace: string; name: string }): Promise<string> {
  const pods = await proxyPods(api, gateway);
  if (pods.length === 0)
    throw new Broken(
      "no proxy is ready",
      `kubectl -n ${controllerNamespace} describe pods -l app.kubernetes.io/name=envoy`,
    );
  const all = await Promise.all(pods.map((pod) => served(api, pod)));
  const rejected = all.find((one) => one.rejected !== undefined);
  if (rejected) {
    const lines = await proxyLines(api, pods);
    const said = [`it refuses its newest configuration: ${rejected.rejected}`, ...lines];
    throw new Broken(said.join("\n"), "mend or remove the filter that is named; until then no change takes effect");
  }
  return `${pods.length} ready, with ${all[0]?.filters.length} filters in force`;
}

async function moduleInForce(
  api: KubeApi,
  gateway: { namespace: string; name: string },
  filter: DiagnosedFilter,
): Promise<string> {
  const all = await Promise.all((await proxyPods(api, gateway)).map((pod) => served(api, pod)));
  const digests = all.map((one) => digestOf(one, filter));
  const other = digests.find((digest) => digest !== filter.digest);
  if (other !== undefined) throw new Broken(`the proxy has sha256:${other}, not sha256:${filter.digest}`, up);
  if (digests.includes(undefined)) throw new Broken("the proxy does not have it", up);
  return `sha256:${filter.digest}`;
}

async function request(
  api: KubeApi,
  gateway: { namespace: string; name: string },
  { name, digest, url, headers, expect }: DiagnosedFilter,
): Promise<string> {
  try {
    const { status, seen } = await prove({ filter: name, url, headers, expect, digest, timeoutMs: 2000 });
    return [`GET ${url} → ${status}`, ...Object.entries(seen).map(([header, value]) => `${header}: ${value}`)].join(
      "  ",
    );
  } catch (error) {
    const pods = await proxyPods(api, gateway);
    const lines = [...(await proxyLines(api, pods)), ...(await controllerLinesOf(api))];
    throw new Broken([messageOf(error), ...lines].join("\n"), "the last lines are the proxy's and Envoy Gateway's own");
  }
}

async function proxyLines(api: KubeApi, pods: Pod[]): Promise<string[]> {
  const logs = await Promise.all(pods.map((pod) => api.log(pod.metadata, { container: "envoy", tail: 300 })));
  return complaints(logs.join("\n")).slice(-6);
}

async function controllerLinesOf(api: KubeApi): Promise<string[]> {
  const pods = await controllerPods(api);
  const logs = await Promise.all(pods.map((pod) => api.log(pod.metadata, { container: "envoy-gateway", tail: 300 })));
  return controllerLines(logs.join("\n"), "envoyextensionpolicy").slice(-3);
}

function firstLine(text: string): string {
  return text.trim().split("\n")[0] ?? "";
}
