/** Every proxy that a filter is for runs it. */
import type { Known } from "../../../../kube/advice.ts";
import { KubeApi } from "../../../../kube/api.ts";
import { proxyFilters } from "../../../../kube/filter-dump.ts";
import { isReady, type Pod, podsOf } from "../../../../kube/pods.ts";
import { type Look, waitUntilReady } from "../../../../kube/readiness.ts";
import { messageOf } from "../../../../lib/errors.ts";
import type { Failure } from "../../../filter/declared.ts";
import { rootNamespace } from "../names.ts";
import { adminPort, complaintsSince, hasProxy } from "./proxies.ts";

const defaultTimeoutMs = 60_000;
/** A registry that has just come up, or an image that was just pushed, may be there at the next try. */
const fetchAgainMs = 3_000;
const mostFetches = 4;

/** What the proxies are asked for. */
export interface WantedFilter {
  /** Where the pods are whose proxies are to run it, and their labels. */
  namespace: string;
  selector: Record<string, string>;
  /** Envoy's name of the filter. */
  envoyName: string;
  /** sha256 (hex) that its code is known by in a proxy: of the module, of its image's manifest, of the script. */
  digest: string;
}

export interface AwaitedFilter extends WantedFilter {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** Its name, for messages. */
  filter: string;
  failure: Failure;
  /** Milliseconds until all proxies must have it; default 60 000. */
  timeoutMs?: number;
}

export interface AwaitedProxies {
  /** Names of the proxies' pods that run the filter. */
  proxies: string[];
  /** Where no pod is selected, or one has no proxy. */
  warnings: string[];
}

/** What is to be seen of a filter now. */
interface Seen {
  /** All that it is for. */
  pods: Pod[];
  /** The proxies that take traffic. */
  serving: Pod[];
  /** Those of them that do not run the filter's very code. */
  missing: Without[];
}

interface Without {
  pod: Pod;
  /** What it has instead. */
  state: string;
}

async function see(api: KubeApi, wanted: WantedFilter): Promise<Seen> {
  const pods = await podsOf(api, wanted.namespace, wanted.selector);
  const serving = pods.filter(hasProxy).filter(isReady);
  return { pods, serving, missing: await without(api, serving, wanted) };
}

/** Whether there is a proxy that takes traffic, and each of them runs the filter's very code. */
export async function isInForce(api: KubeApi, wanted: WantedFilter): Promise<boolean> {
  const { serving, missing } = await see(api, wanted);
  return serving.length > 0 && missing.length === 0;
}

/** Whether it is no longer as it was found: a proxy does without it, or there is another warning to give. */
export async function hasChanged(awaited: AwaitedFilter, warnings: string[]): Promise<boolean> {
  const api = await KubeApi.open(awaited.kubeconfig);
  const seen = await see(api, awaited);
  return seen.missing.length > 0 || String(await warningsOf(api, awaited, seen)) !== String(warnings);
}

/** @throws UserError with what the proxies say of it in their logs */
export async function waitForProxies(awaited: AwaitedFilter, signal?: AbortSignal): Promise<AwaitedProxies> {
  const { filter, timeoutMs = defaultTimeoutMs } = awaited;
  const name = `filter "${filter}"`;
  const api = await KubeApi.open(awaited.kubeconfig);
  const started = Date.now();
  let late: Late = { pods: [], said: () => "" };
  const look = async (): Promise<Look<AwaitedProxies>> => {
    const seen = await see(api, awaited);
    const { pods, serving, missing } = seen;
    if (pods.length === 0 || (serving.length > 0 && missing.length === 0))
      return { state: "ready", found: { proxies: namesOf(serving), warnings: await warningsOf(api, awaited, seen) } };
    late = lateness(awaited, seen);
    const unfetched = missing.filter(({ state }) => state === "unfetched");
    // Pods that are still coming up have more time: after a restart of the machine, all of them come up at once.
    const limitMs = serving.length < pods.filter(hasProxy).length ? 3 * timeoutMs : timeoutMs;
    if (unfetched.length === 0) return { state: "waiting", why: late.said(0), limitMs };
    const why = `the proxy ${namesOf(unfetched.map(({ pod }) => pod)).join(", ")} cannot fetch it; ${effectOf(awaited)}`;
    return { state: "failing", why, tries: mostFetches };
  };
  const subject = {
    name,
    look,
    known,
    kubectl: `kubectl --kubeconfig ${awaited.kubeconfig}`,
    logs: async () => ({ "the proxy's log": await linesOf(api, late.pods, started) }),
    tryAgain: () => fetchAgain(api),
    untilNextTry: () => fetchAgainMs,
    late: (_: string, seconds: number) => `${name}: ${late.said(seconds)}`,
  };
  return waitUntilReady(subject, { timeoutMs, signal });
}

/** What there is to say should the time be up now. */
interface Late {
  /** Those whose logs may tell why. */
  pods: Pod[];
  said(seconds: number): string;
}

function lateness(awaited: AwaitedFilter, { pods, missing }: Seen): Late {
  const proxies = pods.filter(hasProxy);
  if (proxies.length === 0) return { pods: [], said: () => withoutSidecar(awaited, pods) };
  const late = missing.length > 0 ? missing : proxies.map((pod) => ({ pod, state: "not ready" }));
  const names = late.map(({ pod, state }) => `${pod.metadata.name}${state === "unfetched" ? "" : ` (${state})`}`);
  const effect = late.some(({ state }) => state === "unfetched") ? `; ${effectOf(awaited)}` : "";
  const said = (seconds: number) => `the proxy ${names.join(", ")} is without it after ${seconds} s${effect}`;
  return { pods: late.map(({ pod }) => pod), said };
}

const effectOf = ({ failure }: AwaitedFilter) =>
  failure === "open" ? "requests pass without it" : "requests are answered 403";

const namesOf = (pods: Pod[]) => pods.map(({ metadata }) => metadata.name);

/** The proxies that do not run the filter's very code. */
async function without(api: KubeApi, pods: Pod[], { envoyName, digest }: WantedFilter): Promise<Without[]> {
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

/** istiod tells every proxy of its filters again when an EnvoyFilter has changed; a proxy by itself never asks again. */
async function fetchAgain(api: KubeApi): Promise<void> {
  const path = `/apis/networking.istio.io/v1alpha3/namespaces/${rootNamespace}/envoyfilters/callouts`;
  // istiod minds annotations only where their names have istio.io in them.
  await api.patch(path, { metadata: { annotations: { "meshup.istio.io/fetch-again": new Date().toISOString() } } });
}

/** A selector may be ahead of its workload, and a pod older than its sidecar: no failure, but somebody should know. */
async function warningsOf(api: KubeApi, awaited: AwaitedFilter, { pods }: Seen): Promise<string[]> {
  const name = `filter "${awaited.filter}"`;
  if (pods.length === 0) return [`${name}: ${await nobody(api, awaited)}`];
  const bare = pods.filter((pod) => !hasProxy(pod));
  return bare.length > 0 ? [`${name}: ${withoutSidecar(awaited, bare)}`] : [];
}

const labelText = (labels: Record<string, string>) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");

async function nobody(api: KubeApi, { namespace, selector }: WantedFilter): Promise<string> {
  const all = await podsOf(api, namespace, {});
  const keys = Object.keys(selector);
  const there = [...new Set(all.map(({ metadata }) => labelText(pick(metadata.labels ?? {}, keys))).filter(Boolean))];
  const apps = [...new Set(all.flatMap(({ metadata }) => metadata.labels?.app ?? []))].map((app) => `app=${app}`);
  const others = there.length > 0 ? there : apps;
  return `no pod in namespace ${namespace} has ${labelText(selector)}; there are ${others.sort().join(", ") || "none"}`;
}

function pick(labels: Record<string, string>, keys: string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).filter(([name]) => keys.includes(name)));
}

function withoutSidecar({ namespace, kubeconfig }: AwaitedFilter, pods: Pod[]): string {
  return `${namesOf(pods).join(", ")} in namespace ${namespace} have no sidecar, and so no filter: pods get one when they are made in a namespace with the label istio-injection=enabled (kubectl --kubeconfig ${kubeconfig} -n ${namespace} rollout restart deployment)`;
}

async function linesOf(api: KubeApi, pods: Pod[], started: number): Promise<string[]> {
  // The first try to fetch it was before this wait, and clocks differ.
  const since = new Date(started - 60_000).toISOString();
  const lines = await Promise.all(pods.map((pod) => complaintsSince(api, pod, since).catch(() => [])));
  return [...new Set(lines.flat())];
}

/** What only Istio says, and what to do about it. */
export const known: Known[] = [
  [
    /rejected unsafe bearer realm/,
    "Istio takes a registry that asks for a password only where its realm is an address (of a registry:3 of your own: REGISTRY_AUTH_HTPASSWD_REALM=https://ITS-NAME).",
  ],
];
