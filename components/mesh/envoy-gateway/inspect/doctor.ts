/** Envoy Gateway's steps. */
import { advice } from "../../../../kube/advice.ts";
import type { KubeApi, KubeObject } from "../../../../kube/api.ts";
import type { Pod } from "../../../../kube/pods.ts";
import { Broken, type Check, up } from "../../../../lib/steps.ts";
import { requestStep } from "../../../../proof/step.ts";
import { apiOf } from "../../cluster-proxies.ts";
import type { FilterOutput } from "../../filter-output.ts";
import type { RunningMesh } from "../../inspector.ts";
import { name as controllerName, controllerNamespace, gateway } from "../names.ts";
import { controllerLines, controllerPods } from "./controller.ts";
import { type Condition, judge, known, type Policy } from "./policy.ts";
import { complaints, digestOf, inForce, proxyContainer, proxyPods } from "./proxies.ts";

export async function diagnose(mesh: RunningMesh, check: Check): Promise<void> {
  const { filters } = mesh;
  const api = () => apiOf(mesh); // where there is none, no step of these is looked at
  await check("Envoy Gateway", ["nodes"], () => controller(api()));
  await check("its Wasm cache", ["Envoy Gateway"], () => wasmCache(api()));
  await check("Gateway", ["Envoy Gateway"], () => programmed(api(), gateway));
  await check("policies", ["Gateway", "its Wasm cache"], () => policies(api(), gateway.namespace));
  await check("proxy", ["Gateway"], () => proxies(api(), gateway));
  const lines = async () => [
    ...(await proxyLines(api(), await proxyPods(api(), gateway))),
    ...(await controllerLinesOf(api())),
  ];
  for (const filter of filters) {
    await check(`module of ${filter.name}`, ["proxy"], () => moduleInForce(api(), gateway, filter));
    await check(`request for ${filter.name}`, ["proxy"], () => requestStep(filter, lines));
  }
}

async function controller(api: KubeApi): Promise<string> {
  type Deployment = KubeObject & {
    spec?: { replicas?: number };
    status?: { readyReplicas?: number; conditions?: Condition[] };
  };
  const path = `/apis/apps/v1/namespaces/${controllerNamespace}/deployments/${controllerName}`;
  const deployment = await api.get<Deployment>(path);
  if (!deployment) throw new Broken(`there is no deployment envoy-gateway in ${controllerNamespace}`, up);
  if ((deployment.status?.readyReplicas ?? 0) > 0) return `${deployment.status?.readyReplicas} ready`;
  if (deployment.spec?.replicas === 0) throw new Broken("it has been scaled to nothing", up);
  if (deployment.spec?.replicas === 0) throw new Broken("it has been scaled to nothing", up);
  const why = deployment.status?.conditions?.find((c) => c.status === "False")?.message ?? "no pod is ready";
  throw new Broken(why, `KUBECTL -n ${controllerNamespace} describe pods -l control-plane=envoy-gateway says why`);
}

/** Set once, when Envoy Gateway starts, and never tried again. */
async function wasmCache(api: KubeApi): Promise<string> {
  const logs = await Promise.all(
    (await controllerPods(api)).map((pod) => api.log(pod.metadata, { container: controllerName })),
  );
  const lines = logs.join("\n").split("\n");
  const restart = `KUBECTL -n ${controllerNamespace} rollout restart deployment envoy-gateway`;
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
    throw new Broken(`${bad.type}: ${bad.reason}: ${bad.message}`, "KUBECTL describe envoyproxy,service -A says more");
  if (!gateway.status?.conditions?.some((c) => c.type === "Programmed"))
    throw new Broken("no control plane has taken it up: is its GatewayClass there?", up);
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
    const todo =
      advice([first.reason, first.message], known) || "mend the filter's declaration, then `npm start -- STACK`";
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
      `KUBECTL -n ${controllerNamespace} describe pods -l app.kubernetes.io/name=envoy says why`,
    );
  const all = await Promise.all(pods.map((pod) => inForce(api, pod)));
  const rejected = all.find((one) => one.rejected !== undefined);
  if (rejected) {
    const lines = await proxyLines(api, pods);
    const said = [`it refuses its newest configuration: ${rejected.rejected}`, ...lines];
    throw new Broken(
      said.join("\n"),
      "mend or remove the filter that is named (`npm run remove -- STACK FILTER`); until then no change takes effect",
    );
  }
  return `${pods.length} ready, with ${all[0]?.filters.length} filters in force`;
}

async function moduleInForce(
  api: KubeApi,
  gateway: { namespace: string; name: string },
  filter: FilterOutput,
): Promise<string> {
  const all = await Promise.all((await proxyPods(api, gateway)).map((pod) => inForce(api, pod)));
  const digests = all.map((one) => digestOf(one, filter));
  const other = digests.find((digest) => digest !== filter.digest);
  if (other !== undefined) throw new Broken(`the proxy has sha256:${other}, not sha256:${filter.digest}`, up);
  if (digests.includes(undefined)) throw new Broken("the proxy does not have it", up);
  return `sha256:${filter.digest}`;
}

async function proxyLines(api: KubeApi, pods: Pod[]): Promise<string[]> {
  const logs = await Promise.all(pods.map((pod) => api.log(pod.metadata, { container: proxyContainer, tail: 5000 })));
  return complaints(logs.join("\n")).slice(-6);
}

async function controllerLinesOf(api: KubeApi): Promise<string[]> {
  const pods = await controllerPods(api);
  const logs = await Promise.all(pods.map((pod) => api.log(pod.metadata, { container: controllerName, tail: 300 })));
  return controllerLines(logs.join("\n"), "envoyextensionpolicy").slice(-3);
}
