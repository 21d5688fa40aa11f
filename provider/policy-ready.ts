/** `meshup:kubernetes:PolicyReady`: Envoy Gateway has accepted a policy, and its proxies run the filters that it names. */
import { setTimeout as sleep } from "node:timers/promises";
import { KubeApi } from "../kube/api.ts";
import { controllerComplaints } from "../kube/controller.ts";
import type { Pod } from "../kube/pods.ts";
import { advice, changedAt, judge, type Policy, pullsWorthTrying, type Verdict } from "../kube/policy.ts";
import { digestOf, proxyComplaints, proxyPods, type Served, served } from "../kube/proxy.ts";
import { messageOf, UserError } from "../lib/errors.ts";
import type { ResourceType } from "./resource.ts";
import type { PolicyReadyInputs, PolicyReadyOutputs } from "./types.ts";

/** A registry that swallows requests holds Envoy Gateway up for a minute and more. */
const defaultTimeoutMs = 120_000;
/** A proxy that has refused a configuration says so until it takes the next one, which may be on its way. */
const rejectionGraceMs = 3_000;

export const policyReadyType: ResourceType<PolicyReadyInputs, PolicyReadyOutputs> = {
  inputs: {
    kubeconfig: "update",
    // Another policy in the place of this one changes nothing in the world: a replacement would only hold others up.
    namespace: "update",
    name: "update",
    gateway: "update",
    uid: "update",
    generation: "update",
    filters: "update",
    timeoutMs: "ignore",
  },
  reveals: ["warnings"],
  id: ({ gateway }) => `${gateway.namespace}/${gateway.name}`,
  create: (inputs, { signal }) => waitForPolicy(inputs, signal),
  update: (_olds, news, { signal }) => waitForPolicy(news, signal),
  // Envoy Gateway forgets its modules when it is restarted. Where it cannot pull one again, it does not try a second time.
  // What the proxies run is not looked at: that would take an `up` with nothing to do too long, and the proofs tell.
  hasDrifted: async (_olds, news) => {
    const policy = await KubeApi.open(news.kubeconfig)
      .then((api) => api.get<Policy>(pathOf(news)))
      .catch(() => undefined);
    return !policy || judge(policy).state !== "accepted";
  },
};

const pathOf = ({ namespace, name }: PolicyReadyInputs) =>
  `/apis/gateway.envoyproxy.io/v1alpha1/namespaces/${namespace}/envoyextensionpolicies/${name}`;

/** @throws UserError with the condition, and what the control plane and the proxies say of it in their logs */
export async function waitForPolicy(inputs: PolicyReadyInputs, signal?: AbortSignal): Promise<PolicyReadyOutputs> {
  const api = await KubeApi.open(inputs.kubeconfig);
  const wait = new Wait(inputs, signal);
  const policy = await accepted(api, inputs, wait).catch(async (error) => {
    throw error instanceof TimedOut ? await withControllerLines(api, inputs, error) : error;
  });
  const pods = await serving(api, inputs, policy, wait);
  const warnings = await failedToLoad(api, inputs, policy, pods);
  return {
    acceptedGeneration: policy.metadata.generation ?? 0,
    proxies: pods.map((pod) => pod.metadata.name),
    warnings,
  };
}

class TimedOut extends UserError {}

/** What Envoy Gateway says while it does not come to a policy: it is held up by another one, or by a registry. */
async function withControllerLines(api: KubeApi, { namespace, name }: PolicyReadyInputs, error: TimedOut) {
  const lines = await controllerComplaints(api, { policy: `${namespace}/${name}` }).catch(() => []);
  return new UserError(report(error.message, { "Envoy Gateway's log": lines }));
}

/** Looks again and again until the time is up; what it last saw is the reason it then gives. */
class Wait {
  readonly #end: number;
  readonly #timeoutMs: number;
  readonly #policy: string;
  readonly #signal: AbortSignal | undefined;
  #pauseMs = 50;

  constructor({ namespace, name, timeoutMs = defaultTimeoutMs }: PolicyReadyInputs, signal?: AbortSignal) {
    this.#end = Date.now() + timeoutMs;
    this.#timeoutMs = timeoutMs;
    this.#policy = `${namespace}/${name}`;
    this.#signal = signal;
  }

  async pause(why: string): Promise<void> {
    if (this.#signal?.aborted) throw new UserError(`policy ${this.#policy}: cancelled before it was in force`);
    if (Date.now() + this.#pauseMs > this.#end)
      throw new TimedOut(`policy ${this.#policy} is not in force after ${this.#timeoutMs / 1000} s: ${why}`);
    await sleep(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, 1000);
  }
}

async function accepted(api: KubeApi, inputs: PolicyReadyInputs, wait: Wait): Promise<Policy> {
  const path = pathOf(inputs);
  for (let pulls = 1, nextLook = 0; ; ) {
    const policy = await api.get<Policy>(path);
    const verdict: Verdict = policy ? judge(policy) : { state: "waiting", why: "there is no such policy" };
    if (policy && verdict.state === "accepted") return policy;
    if (policy && verdict.state === "refused" && Date.now() >= nextLook) {
      if (pulls >= pullsWorthTrying(verdict.message)) throw await refusal(api, inputs, policy, verdict);
      await pullAgain(api, inputs.gateway);
      pulls += 1;
      nextLook = Date.now() + 2000 * pulls;
    }
    await wait.pause(verdict.state === "waiting" ? verdict.why : `${verdict.state}`);
  }
}

/** Envoy Gateway never tries a failed pull again by itself; a changed annotation of the Gateway makes it look anew. */
async function pullAgain(api: KubeApi, { namespace, name }: PolicyReadyInputs["gateway"]): Promise<void> {
  const path = `/apis/gateway.networking.k8s.io/v1/namespaces/${namespace}/gateways/${name}`;
  await api.patch(path, { metadata: { annotations: { "meshup/pull-again": new Date().toISOString() } } });
}

/** Waits until every proxy has all of the policy's filters in force. @returns the proxies */
async function serving(api: KubeApi, inputs: PolicyReadyInputs, policy: Policy, wait: Wait): Promise<Pod[]> {
  const { gateway, filters } = inputs;
  for (let rejectedSince: number | undefined; ; ) {
    const pods = await proxyPods(api, gateway);
    const found = await Promise.all(pods.map((pod) => served(api, pod).catch(messageOf)));
    const silent = found.find((one) => typeof one === "string");
    if (silent !== undefined) {
      // It may be busy with the very module: it answers once that is compiled.
      await wait.pause(`the proxy does not answer: ${silent}`);
      continue;
    }
    const proxies = found.filter((one) => typeof one !== "string");
    const missing = proxies.flatMap((proxy) => missingFilters(proxy, inputs));
    if (pods.length > 0 && missing.length === 0) return pods;
    const rejected = proxies.find((proxy) => proxy.rejected !== undefined);
    if (rejected) rejectedSince ??= Date.now();
    else rejectedSince = undefined;
    if (rejected && rejectedSince !== undefined && Date.now() - rejectedSince > rejectionGraceMs)
      throw await rejection(api, inputs, policy, pods, rejected);
    await wait.pause(
      pods.length === 0
        ? `no proxy of Gateway ${gateway.namespace}/${gateway.name} is ready`
        : `the proxy does not run ${missing.join(", ")} of ${filters.length} filters`,
    );
  }
}

function missingFilters(proxy: Served, { namespace, name, filters }: PolicyReadyInputs): string[] {
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
async function failedToLoad(api: KubeApi, inputs: PolicyReadyInputs, policy: Policy, pods: Pod[]): Promise<string[]> {
  const { namespace, name, filters } = inputs;
  const { before, since } = await linesOf(api, policy, pods);
  const named = filters.filter((filter) =>
    since.some((line) => line.startsWith(`[critical][wasm] Plugin ${filter.name} failed to load`)),
  );
  // A line without a name is this module's where there is no other, and where it was not said before there was this one.
  const unnamed = filters.length === 1 && since.some((line) => startFailed.test(line) && !before.includes(line));
  const failed = named.length === 0 && unnamed ? filters : named;
  if (failed.length === 0) return [];
  if (failed.every(({ failure }) => failure === "open")) return since;
  const names = failed.map((filter) => `"${filter.name}"`).join(", ");
  const headline = `policy ${namespace}/${name}: the proxy cannot start ${names}`;
  throw new UserError(report(headline, { "the proxy's log": since }));
}

async function refusal(
  api: KubeApi,
  inputs: PolicyReadyInputs,
  policy: Policy,
  { reason, message }: Extract<Verdict, { state: "refused" }>,
): Promise<UserError> {
  const { namespace, name, kubeconfig } = inputs;
  const names = { kubectl: `kubectl --kubeconfig ${kubeconfig}` };
  const closed = inputs.filters.some(({ failure }) => failure !== "open");
  return new UserError(
    report(
      `policy ${namespace}/${name} is not accepted: ${reason}${closed ? "; its routes answer 500" : ""}\n  ${message}`,
      {
        "Envoy Gateway's log": await controllerComplaints(api, {
          policy: `${namespace}/${name}`,
          since: changedAt(policy),
        }),
      },
      advice(message, names) || advice(reason, names),
    ),
  );
}

async function rejection(
  api: KubeApi,
  { namespace, name }: PolicyReadyInputs,
  policy: Policy,
  pods: Pod[],
  { pod, rejected = "" }: Served,
): Promise<UserError> {
  return new UserError(
    report(
      `policy ${namespace}/${name} is accepted, but the proxy ${pod} refuses the configuration and goes on with the one before\n  ${rejected}`,
      { "the proxy's log": (await linesOf(api, policy, pods)).since },
    ),
  );
}

/** The proxies' complaints from before the policy's last change, and since. */
async function linesOf(api: KubeApi, policy: Policy, pods: Pod[]): Promise<{ before: string[]; since: string[] }> {
  const all = await Promise.all(pods.map((pod) => proxyComplaints(api, { pod }, changedAt(policy))));
  return {
    before: [...new Set(all.flatMap(({ before }) => before))],
    since: [...new Set(all.flatMap(({ since }) => since))],
  };
}

/** A headline, log lines below their titles, and what to do. */
function report(headline: string, logs: Record<string, string[]>, todo = ""): string {
  const parts = Object.entries(logs).flatMap(([title, lines]) =>
    lines.length > 0 ? [`  ${title}:`, ...lines.slice(-8).map((line) => `    ${line}`)] : [],
  );
  return [headline, ...parts, ...(todo ? [`  ${todo}`] : [])].join("\n");
}
