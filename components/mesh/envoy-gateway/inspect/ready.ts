/** Envoy Gateway has accepted a policy, and its proxies run the filters that it names. */
import { KubeApi } from "../../../../kube/api.ts";
import { type Complaints, complaintsOf, together } from "../../../../kube/complaints.ts";
import type { Pod } from "../../../../kube/pods.ts";
import { type Look, report, waitUntilReady } from "../../../../kube/readiness.ts";
import { messageOf, UserError } from "../../../../lib/errors.ts";
import type { Failure } from "../../../filter/declared.ts";
import { controllerComplaints, restartController } from "./controller.ts";
import { changedAt, hasGivenUp, judge, known, type Policy, pullsWorthTrying, type Verdict } from "./policy.ts";
import { complaints, digestOf, type InForce, inForce, proxyContainer, proxyPods } from "./proxies.ts";

/** A registry that swallows requests holds Envoy Gateway up for a minute and more. */
const defaultTimeoutMs = 120_000;
/** A proxy that has refused a configuration says so until it takes the next one, which may be on its way. */
const rejectionGraceMs = 3_000;
/** How long Envoy Gateway may take to look at all policies once it has started. */
const verdictAfterRestartMs = 30_000;

export interface AwaitedPolicy {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** Of the EnvoyExtensionPolicy. */
  namespace: string;
  name: string;
  /** The Gateway whose proxies are to run the filters. */
  gateway: { namespace: string; name: string };
  /** What the proxies must have in force for this policy; digest: sha256 of module or script, hex. */
  filters: { name: string; digest: string; failure: Failure }[];
  /** Milliseconds until the policy must be in force; default 120 000. */
  timeoutMs?: number;
}

export interface PolicyInForce {
  /** The generation that was accepted. */
  acceptedGeneration: number;
  /** Names of the proxies' pods that run the filters. */
  proxies: string[];
  /** The proxies' log lines where a filter that lets requests pass (`open`) did not start. */
  warnings: string[];
}

/** An accepted policy, and the proxies that have it in force. */
interface Serving {
  policy: Policy;
  pods: Pod[];
}

/** Whether it is no longer accepted. What the proxies run is not looked at: that takes long, and the proofs tell. */
export async function isOut(awaited: AwaitedPolicy): Promise<boolean> {
  const policy = await (await KubeApi.open(awaited.kubeconfig)).get<Policy>(pathOf(awaited));
  return !policy || judge(policy).state !== "accepted";
}

/** @throws UserError with the condition, and what the control plane and the proxies say of it in their logs */
export async function waitForPolicy(awaited: AwaitedPolicy, signal?: AbortSignal): Promise<PolicyInForce> {
  const { namespace, name, gateway, timeoutMs = defaultTimeoutMs } = awaited;
  const api = await KubeApi.open(awaited.kubeconfig);
  /** Once it is accepted, it is up to the proxies. */
  let accepted: Policy | undefined;
  let seen: Policy | undefined;
  const look = async (): Promise<Look<Serving>> => {
    seen = await api.get<Policy>(pathOf(awaited));
    accepted = undefined;
    if (!seen) return { state: "waiting", why: "there is no such policy" };
    const verdict = judge(seen);
    if (verdict.state === "waiting") return verdict;
    if (verdict.state === "refused") return refusal(awaited, verdict);
    accepted = seen;
    return lookAtProxies(api, awaited, seen);
  };
  const subject = {
    name: `policy ${namespace}/${name}`,
    look,
    known,
    kubectl: `kubectl --kubeconfig ${awaited.kubeconfig}`,
    logs: async (): Promise<Record<string, string[]>> =>
      accepted
        ? { "the proxy's log": (await linesOf(api, accepted, await proxyPods(api, gateway))).since }
        : { "Envoy Gateway's log": await controllerComplaints(api, controllerLog(awaited, seen)) },
    tryAgain: async () => {
      if (!hasGivenUpOn(seen) || !(await restartController(api))) await pullAgain(api, gateway);
    },
    // Until it has looked at all policies, the verdict is the one from before its start.
    untilNextTry: (pulls: number) => (hasGivenUpOn(seen) ? verdictAfterRestartMs : 2000 * pulls),
  };
  const { policy, pods } = await waitUntilReady(subject, { timeoutMs, signal });
  return {
    acceptedGeneration: policy.metadata.generation ?? 0,
    proxies: pods.map((pod) => pod.metadata.name),
    warnings: await failedToLoad(api, awaited, policy, pods),
  };
}

const pathOf = ({ namespace, name }: AwaitedPolicy) =>
  `/apis/gateway.envoyproxy.io/v1alpha1/namespaces/${namespace}/envoyextensionpolicies/${name}`;

/** What was said since it was refused. Of one that is merely late anything may tell: it is held up by another one. */
function controllerLog({ namespace, name }: AwaitedPolicy, policy: Policy | undefined) {
  const refused = policy && judge(policy).state === "refused";
  return { policy: `${namespace}/${name}`, since: refused ? changedAt(policy) : undefined };
}

/** One that has given an address up forgets that, and everything else, when it starts. */
function hasGivenUpOn(policy: Policy | undefined): boolean {
  const verdict = policy && judge(policy);
  return verdict?.state === "refused" && hasGivenUp(verdict.message);
}

function refusal(
  { namespace, name, filters }: AwaitedPolicy,
  { reason, message }: Extract<Verdict, { state: "refused" }>,
): Look<never> {
  const closed = filters.some(({ failure }) => failure !== "open");
  return {
    state: "failing",
    why: "refused",
    headline: `policy ${namespace}/${name} is not accepted: ${reason}${closed ? "; its routes answer 500" : ""}\n  ${message}`,
    said: [reason, message],
    tries: pullsWorthTrying(message),
  };
}

/** Envoy Gateway never tries a failed pull again by itself; a changed annotation of the Gateway makes it look anew. */
async function pullAgain(api: KubeApi, { namespace, name }: AwaitedPolicy["gateway"]): Promise<void> {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/gateways/${name}`;
  await api.patch(path, { metadata: { annotations: { "meshup/pull-again": new Date().toISOString() } } });
}

/** Whether every proxy has all of the policy's filters in force. */
async function lookAtProxies(api: KubeApi, awaited: AwaitedPolicy, policy: Policy): Promise<Look<Serving>> {
  const { gateway, filters, namespace, name } = awaited;
  const pods = await proxyPods(api, gateway);
  const found = await Promise.all(pods.map((pod) => inForce(api, pod).catch(messageOf)));
  const silent = found.find((one) => typeof one === "string");
  // It may be busy with the very module: it answers once that is compiled.
  if (silent !== undefined) return { state: "waiting", why: `the proxy does not answer: ${silent}` };
  const proxies = found.filter((one) => typeof one !== "string");
  const missing = proxies.flatMap((proxy) => missingFilters(proxy, awaited));
  if (pods.length > 0 && missing.length === 0) return { state: "ready", found: { policy, pods } };
  const why =
    pods.length === 0
      ? `no proxy of Gateway ${gateway.namespace}/${gateway.name} is ready`
      : `the proxy does not run ${missing.join(", ")} of ${filters.length} filters`;
  const refusing = proxies.find((proxy) => proxy.rejected !== undefined);
  if (!refusing) return { state: "waiting", why };
  const headline = `policy ${namespace}/${name} is accepted, but the proxy ${refusing.pod} refuses the configuration and goes on with the one before\n  ${refusing.rejected}`;
  return { state: "failing", why, headline, graceMs: rejectionGraceMs };
}

function missingFilters(proxy: InForce, { namespace, name, filters }: AwaitedPolicy): string[] {
  const own = { ...proxy, filters: proxy.filters.filter((f) => f.policy === `${namespace}/${name}`) };
  return filters.filter((filter) => digestOf(own, filter) !== filter.digest).map((filter) => filter.name);
}

/** What a proxy says, without the plugin's name, where a module does not get through its start but requests pass. */
const startFailed =
  /^\[\w+\]\[wasm\] (?:Wasm VM failed|Function: (?:_start|_initialize|main|__main_void|proxy_on_(?:context_create|vm_start|configure)) failed)/;

/**
 * A module that the proxy has, but that does not start: requests are answered 503, or pass without it.
 * @returns what is said of filters that let requests pass
 */
async function failedToLoad(api: KubeApi, awaited: AwaitedPolicy, policy: Policy, pods: Pod[]): Promise<string[]> {
  const { namespace, name, filters } = awaited;
  const { before, since } = await linesOf(api, policy, pods);
  const named = filters.filter((filter) =>
    since.some((line) => line.startsWith(`[critical][wasm] Plugin ${filter.name} failed to load`)),
  );
  // With one filter alone, a line that names none is about it, unless the same was said before the policy changed.
  const unnamed = filters.length === 1 && since.some((line) => startFailed.test(line) && !before.includes(line));
  const failed = named.length === 0 && unnamed ? filters : named;
  if (failed.length === 0) return [];
  if (failed.every(({ failure }) => failure === "open")) return since;
  const names = failed.map((filter) => `"${filter.name}"`).join(", ");
  const headline = `policy ${namespace}/${name}: the proxy cannot start ${names}`;
  throw new UserError(report(headline, { "the proxy's log": since }));
}

/** The proxies' complaints from before the policy's last change, and since. */
async function linesOf(api: KubeApi, policy: Policy, pods: Pod[]): Promise<Complaints> {
  const of = (pod: Pod) => complaintsOf(api, { pod, container: proxyContainer }, complaints, changedAt(policy));
  return together(await Promise.all(pods.map(of)));
}
