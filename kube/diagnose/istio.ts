/** Istio's steps. */
import { isInForce } from "../../provider/filter-ready.ts";
import type { KubeApi, KubeObject } from "../api.ts";
import { configDump } from "../config-dump.ts";
import {
  adminPort,
  complaintsOf,
  gatewayPods,
  hasProxy,
  workloadNamespace as namespace,
  rootNamespace,
  sidecarPods,
} from "../istio.ts";
import { isReady, type Pod, podsOf } from "../pods.ts";
import { type ListenerDump, readDump } from "../proxy.ts";
import { Broken, type DiagnosedFilter, type MeshSteps, request, up } from "./steps.ts";

export const istioSteps: MeshSteps = async (check, api, filters) => {
  await check("istiod", ["nodes"], async () => allReady(await podsOf(api, rootNamespace, { app: "istiod" }), "istiod"));
  await check("injection", ["nodes"], () => injection(api));
  await check("gateway", ["istiod"], async () => allReady(await gatewayPods(api), "the gateway"));
  await check("proxies", ["gateway"], () => proxies(api));
  for (const filter of filters) {
    await check(`module of ${filter.name}`, ["istiod"], () => moduleInForce(api, filter));
    await check(`request for ${filter.name}`, ["gateway"], () => request(filter, () => linesOf(api, filter)));
  }
};

function allReady(pods: Pod[], what: string): string {
  const waiting = pods.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata);
  if (pods.length === 0) throw new Broken(`${what} has no pod`, up);
  if (waiting.length > 0) {
    const names = waiting.map(({ name }) => name).join(" ");
    throw new Broken(`not ready: ${names}`, `KUBECTL -n ${waiting[0]?.namespace} describe pods ${names} says why`);
  }
  return `${pods.length} ready`;
}

/** A pod gets its sidecar when it is made, and never after. */
async function injection(api: KubeApi): Promise<string> {
  type Namespace = KubeObject & { metadata: { labels?: Record<string, string> } };
  const there = await api.get<Namespace>(`/api/v1/namespaces/${namespace}`);
  if (there?.metadata.labels?.["istio-injection"] !== "enabled")
    throw new Broken(
      `namespace ${namespace} has no label istio-injection=enabled, so that new pods get no sidecar`,
      `\`npm start -- STACK\` puts it back; pods without a sidecar get one by KUBECTL -n ${namespace} rollout restart deployment`,
    );
  const pods = await podsOf(api, namespace, {});
  const meant = pods.filter(
    ({ metadata, status }) =>
      metadata.labels?.["sidecar.istio.io/inject"] !== "false" &&
      !["Succeeded", "Failed"].includes(status?.phase ?? ""),
  );
  const bare = meant.filter((pod) => !hasProxy(pod)).map(({ metadata }) => metadata.name);
  if (bare.length > 0)
    throw new Broken(`without sidecar: ${bare.join(", ")}`, `KUBECTL -n ${namespace} rollout restart deployment`);
  return `${meant.length} pods have a sidecar`;
}

async function proxies(api: KubeApi): Promise<string> {
  const all = (await Promise.all([gatewayPods(api), sidecarPods(api)])).flat().filter(isReady);
  const rejected = await Promise.all(
    all.map(async (pod) => {
      const { rejected } = readDump(await configDump<ListenerDump>(api, { pod, adminPort }, "dynamic_listeners"));
      return rejected === undefined ? [] : [`${pod.metadata.name} refuses its newest configuration: ${rejected}`];
    }),
  );
  const said = rejected.flat();
  if (said.length > 0)
    throw new Broken(
      said.join("\n"),
      "mend or remove the filter that is named (`npm run remove -- STACK FILTER`); until then no change takes effect",
    );
  return `${all.length} ready`;
}

async function moduleInForce(api: KubeApi, filter: DiagnosedFilter): Promise<string> {
  const { ready, digest } = filter;
  if (!ready) throw new Broken("the stack's state does not say where it is to run", up);
  if (!(await isInForce(ready)))
    throw new Broken(["no proxy runs it, or not each of them", ...(await linesOf(api, filter))].join("\n"), up);
  return `sha256:${digest}`;
}

async function linesOf(api: KubeApi, { ready }: DiagnosedFilter): Promise<string[]> {
  if (!ready) return [];
  const pods = (await podsOf(api, ready.namespace, ready.selector)).filter(hasProxy);
  // A log that cannot be had is not what is broken.
  const lines = await Promise.all(pods.map((pod) => complaintsOf(api, pod).catch(() => [])));
  return [...new Set(lines.flat())].slice(-6);
}
