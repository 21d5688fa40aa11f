/** Istio's steps. */
import type { KubeApi, KubeObject } from "../../../../kube/api.ts";
import { configDump } from "../../../../kube/config-dump.ts";
import { type ListenerDump, rejectionOf } from "../../../../kube/listener-dump.ts";
import { isReady, type Pod, podsOf } from "../../../../kube/pods.ts";
import { Broken, type Check, up } from "../../../../lib/steps.ts";
import { requestStep } from "../../../../proof/step.ts";
import { apiOf } from "../../cluster-proxies.ts";
import type { RunningMesh } from "../../inspector.ts";
import { namespace } from "../../manifest.ts";
import { rootNamespace } from "../names.ts";
import { adminPort, complaintsSince, gatewayPods, hasProxy, type PodPlace, sidecarPods } from "./proxies.ts";
import { isInForce } from "./ready.ts";
import { elsewhere, wantedOf } from "./wanted.ts";

export async function diagnose(mesh: RunningMesh, check: Check): Promise<void> {
  const api = () => apiOf(mesh); // where there is none, no step of these is looked at
  await check("istiod", ["nodes"], async () =>
    allReady(await podsOf(api(), rootNamespace, { app: "istiod" }), "istiod"),
  );
  await check("injection", ["nodes"], () => injection(api()));
  await check("gateway", ["istiod"], async () => allReady(await gatewayPods(api()), "the gateway"));
  await check("proxies", ["gateway"], () => proxies(api(), elsewhere(mesh)));
  for (const filter of mesh.filters) {
    await check(`module of ${filter.name}`, ["istiod"], () => moduleInForce(mesh, filter));
    await check(`request for ${filter.name}`, ["gateway"], () => requestStep(filter, () => linesOf(mesh, filter.name)));
  }
}

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

async function proxies(api: KubeApi, others: PodPlace[]): Promise<string> {
  const all = (await Promise.all([gatewayPods(api), sidecarPods(api, others)])).flat().filter(isReady);
  const rejected = await Promise.all(
    all.map(async (pod) => {
      const rejected = rejectionOf(await configDump<ListenerDump>(api, { pod, adminPort }, "dynamic_listeners"));
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

async function moduleInForce(mesh: RunningMesh, { name, digest }: { name: string; digest: string }): Promise<string> {
  if (!(await isInForce(apiOf(mesh), wantedOf(mesh, name))))
    throw new Broken(["no proxy runs it, or not each of them", ...(await linesOf(mesh, name))].join("\n"), up);
  return `sha256:${digest}`;
}

async function linesOf(mesh: RunningMesh, filter: string): Promise<string[]> {
  const { namespace, selector } = wantedOf(mesh, filter);
  const pods = (await podsOf(apiOf(mesh), namespace, selector)).filter(hasProxy);
  // A log that cannot be had is not what is broken.
  const lines = await Promise.all(pods.map((pod) => complaintsSince(apiOf(mesh), pod).catch(() => [])));
  return [...new Set(lines.flat())].slice(-6);
}
