/** `meshup:kubernetes:FilterReady`: every proxy of Istio's that a filter is for runs it. */
import { setTimeout as sleep } from "node:timers/promises";
import { KubeApi } from "../kube/api.ts";
import { proxyFilters } from "../kube/filter-dump.ts";
import { adminPort, complaintsOf, hasProxy } from "../kube/istio.ts";
import { isReady, type Pod, podsOf } from "../kube/pods.ts";
import { messageOf, UserError } from "../lib/errors.ts";
import type { ResourceType } from "./resource.ts";
import type { FilterReadyInputs, FilterReadyOutputs } from "./types.ts";

const defaultTimeoutMs = 60_000;
/** A registry that has just come up, or an image that was just pushed, may be there at the next try. */
const fetchAgainMs = 3_000;
const mostFetches = 4;

export const filterReadyType: ResourceType<FilterReadyInputs, FilterReadyOutputs> = {
  inputs: {
    kubeconfig: "update",
    filter: "update",
    namespace: "update",
    selector: "update",
    envoyName: "update",
    digest: "update",
    failure: "update",
    version: "update",
    timeoutMs: "ignore",
  },
  reveals: ["warnings"],
  id: ({ filter }) => filter,
  create: (inputs, { signal }) => waitForProxies(inputs, signal),
  update: (_olds, news, { signal }) => waitForProxies(news, signal),
  // A proxy that was started while the registry was down goes on without the module, and nothing else would tell.
  hasDrifted: async (olds, news) => {
    const found = await look(news).catch(() => undefined);
    return !found || found.missing.length > 0 || String(found.warnings) !== String(olds.warnings);
  },
};

/** What is to be seen of a filter now. */
interface Found {
  /** The proxies that take traffic. */
  serving: Pod[];
  /** Those of them that do not run the filter's very code. */
  missing: Without[];
  warnings: string[];
}

async function look(inputs: FilterReadyInputs): Promise<Found> {
  const api = await KubeApi.open(inputs.kubeconfig);
  const pods = await podsOf(api, inputs.namespace, inputs.selector);
  if (pods.length === 0) return { serving: [], missing: [], warnings: [await nobody(api, inputs)] };
  const serving = pods.filter(hasProxy).filter(isReady);
  return { serving, missing: await without(api, serving, inputs), warnings: bareWarnings(pods, inputs) };
}

/** Whether there is a proxy that takes traffic, and each of them runs the filter's very code. */
export async function isInForce(inputs: FilterReadyInputs): Promise<boolean> {
  const { serving, missing } = await look(inputs);
  return serving.length > 0 && missing.length === 0;
}

/** @throws UserError with what the proxies say of it in their logs */
export async function waitForProxies(inputs: FilterReadyInputs, signal?: AbortSignal): Promise<FilterReadyOutputs> {
  const { filter, timeoutMs = defaultTimeoutMs } = inputs;
  const api = await KubeApi.open(inputs.kubeconfig);
  const started = Date.now();
  let nextFetch = started + fetchAgainMs;
  for (let pause = 50, fetches = 1; ; pause = Math.min(pause * 1.5, 1000)) {
    const pods = await podsOf(api, inputs.namespace, inputs.selector);
    if (pods.length === 0) return { proxies: [], warnings: [await nobody(api, inputs)] };
    const proxies = pods.filter(hasProxy);
    const serving = proxies.filter(isReady);
    const missing = await without(api, serving, inputs);
    if (serving.length > 0 && missing.length === 0)
      return { proxies: serving.map(({ metadata }) => metadata.name), warnings: bareWarnings(pods, inputs) };

    const unfetched = missing.filter(({ state }) => state === "unfetched");
    if (unfetched.length > 0 && Date.now() >= nextFetch) {
      if (fetches >= mostFetches) throw await failure(api, inputs, unfetched, "cannot fetch it", started);
      await fetchAgain(api);
      fetches += 1;
      nextFetch = Date.now() + fetchAgainMs;
    }
    if (signal?.aborted) throw new UserError(`filter "${filter}": cancelled before its proxies had it`);
    if (Date.now() + pause - started > timeoutMs) {
      if (proxies.length === 0) throw new UserError(withoutSidecar(inputs, pods));
      const late = missing.length > 0 ? missing : proxies.map((pod) => ({ pod, state: "not ready" }));
      throw await failure(api, inputs, late, `is without it after ${timeoutMs / 1000} s`, started);
    }
    await sleep(pause);
  }
}

interface Without {
  pod: Pod;
  /** What it has instead. */
  state: string;
}

/** The proxies that do not run the filter's very code. */
async function without(api: KubeApi, pods: Pod[], { envoyName, digest }: FilterReadyInputs): Promise<Without[]> {
  const states = await Promise.all(
    pods.map(async (pod): Promise<Without> => {
      const running = await proxyFilters(api, { pod, adminPort }).catch(messageOf);
      if (typeof running === "string") return { pod, state: `does not answer: ${running}` };
      const found = running.find(({ httpFilter }) => httpFilter === envoyName);
      if (!found) return { pod, state: "does not have it" };
      if (found.unfetched) return { pod, state: "unfetched" };
      return { pod, state: found.digest === digest ? "" : `has sha256:${found.digest}` };
    }),
  );
  return states.filter(({ state }) => state !== "");
}

function bareWarnings(pods: Pod[], inputs: FilterReadyInputs): string[] {
  const bare = pods.filter((pod) => !hasProxy(pod));
  return bare.length > 0 ? [withoutSidecar(inputs, bare)] : [];
}

/** istiod tells every proxy of its filters again when an EnvoyFilter has changed; a proxy by itself never asks again. */
async function fetchAgain(api: KubeApi): Promise<void> {
  const path = "/apis/networking.istio.io/v1alpha3/namespaces/istio-system/envoyfilters/callouts";
  // istiod minds annotations only where their names have istio.io in them.
  await api.patch(path, { metadata: { annotations: { "meshup.istio.io/fetch-again": new Date().toISOString() } } });
}

const labelText = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");

/** A selector may be ahead of its workload: no failure, but somebody should know. */
async function nobody(api: KubeApi, { filter, namespace, selector }: FilterReadyInputs): Promise<string> {
  const all = await podsOf(api, namespace, {});
  const keys = Object.keys(selector);
  const there = [...new Set(all.map(({ metadata }) => labelText(pick(metadata.labels ?? {}, keys))).filter(Boolean))];
  const apps = [...new Set(all.flatMap(({ metadata }) => metadata.labels?.app ?? []))].map((app) => `app=${app}`);
  const others = there.length > 0 ? there : apps;
  return `filter "${filter}": no pod in namespace ${namespace} has ${labelText(selector)}; there are ${others.sort().join(", ") || "none"}`;
}

function pick(labels: Record<string, string>, keys: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => keys.includes(name)));
}

function withoutSidecar({ filter, namespace }: FilterReadyInputs, pods: Pod[]): string {
  const names = pods.map(({ metadata }) => metadata.name).join(", ");
  return `filter "${filter}": ${names} in namespace ${namespace} have no sidecar, and so no filter: pods get one when they are made in a namespace with the label istio-injection=enabled (kubectl -n ${namespace} rollout restart deployment)`;
}

async function failure(
  api: KubeApi,
  inputs: FilterReadyInputs,
  pods: Without[],
  what: string,
  started: number,
): Promise<UserError> {
  const { filter, failure } = inputs;
  // The first try to fetch it was before this wait, and clocks differ.
  const since = new Date(started - 60_000).toISOString();
  const lines = await Promise.all(pods.map(({ pod }) => complaintsOf(api, pod, since).catch(() => [])));
  const said = [...new Set(lines.flat())].slice(-8);
  const names = pods.map(({ pod, state }) => `${pod.metadata.name}${state === "unfetched" ? "" : ` (${state})`}`);
  const effect = failure === "open" ? "requests pass without it" : "requests are answered 403";
  return new UserError(
    [
      `filter "${filter}": the proxy ${names.join(", ")} ${what}${pods.some(({ state }) => state === "unfetched") ? `; ${effect}` : ""}`,
      ...(said.length > 0 ? ["  the proxy's log:", ...said.map((line) => `    ${line}`)] : []),
      ...advice(said).map((line) => `  ${line}`),
    ].join("\n"),
  );
}

/** What a person can do about it: the newest line that is known counts. */
export function advice(said: string[]): string[] {
  const known: [RegExp, string][] = [
    [
      /connection refused|no such host|i\/o timeout|deadline exceeded|no route to host|\b50[234]\b/,
      "Where it is fetched from does not answer inside the cluster: once it runs, run `up` again.",
    ],
    [
      /MANIFEST_UNKNOWN|NAME_UNKNOWN/,
      "The registry does not have this image. If it was deleted there, `pulumi up --replace URN-OF-THE-IMAGE` pushes it again.",
    ],
    [
      /UNAUTHORIZED|DENIED|authentication required|401 Unauthorized|403 Forbidden/,
      "The registry refuses the pull secret, or there is none: see meshup:registry.username and meshup:registryPassword.",
    ],
    [
      /rejected unsafe bearer realm/,
      "Istio takes a registry that asks for a password only where its realm is an address (of a registry:3 of your own: REGISTRY_AUTH_HTPASSWD_REALM=https://ITS-NAME).",
    ],
    [/does not match/, "What is served there is not what was built: push it anew."],
  ];
  return said.flatMap((line) => known.flatMap(([pattern, todo]) => (pattern.test(line) ? [todo] : []))).slice(-1);
}
