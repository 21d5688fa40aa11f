/** `meshup:kubernetes:Rollout`: the pods of a Deployment take requests. */
import { KubeApi } from "../kube/api.ts";
import { podsOf } from "../kube/pods.ts";
import { type Deployment, isRolledOut, newestPods, type Trouble, troubleOf } from "../kube/rollout.ts";
import { UserError } from "../lib/errors.ts";
import { NotYet, poll } from "../lib/poll.ts";
import type { ResourceType } from "./resource.ts";

export interface RolloutInputs {
  /** Absolute path of the kubeconfig file. */
  kubeconfig: string;
  /** Of the Deployment. */
  namespace: string;
  name: string;
  /** Its uid and generation. Another value means that it was created again, or changed. */
  version: string;
  /** Milliseconds until its pods must be ready; default 300 000. */
  timeoutMs?: number;
}

export interface RolloutOutputs {
  /** Names of its pods. */
  pods: string[];
}

/** A large image takes its time to be pulled. */
const defaultTimeoutMs = 300_000;
/** A container that fails may still start: the things that it needs may come with the same `up`. */
const graceMs = 3_000;

/** No `hasDrifted`: `npm run status` and `doctor` look, and Kubernetes itself starts what has ended. */
export const rolloutType: ResourceType<RolloutInputs, RolloutOutputs> = {
  inputs: { kubeconfig: "update", namespace: "update", name: "update", version: "update", timeoutMs: "ignore" },
  id: ({ namespace, name }) => `${namespace}/${name}`,
  create: (inputs, { signal }) => waitForRollout(inputs, signal),
  update: (_olds, news, { signal }) => waitForRollout(news, signal),
};

/** @throws UserError with the messages of the containers that block the rollout, as soon as this is final */
export async function waitForRollout(inputs: RolloutInputs, signal?: AbortSignal): Promise<RolloutOutputs> {
  const { namespace, name, timeoutMs = defaultTimeoutMs } = inputs;
  const api = await KubeApi.open(inputs.kubeconfig);
  const began = Date.now();
  let troubles: Trouble[] = [];
  const look = async () => {
    const deployment = await api.get<Deployment>(`/apis/apps/v1/namespaces/${namespace}/deployments/${name}`);
    if (!deployment) throw new UserError(`${name}: its deployment has gone from namespace ${namespace}`);
    const labels = deployment.spec?.selector?.matchLabels ?? {};
    if (isRolledOut(deployment))
      return { pods: (await podsOf(api, namespace, labels)).map((pod) => pod.metadata.name) };

    troubles = (await newestPods(api, namespace, labels)).flatMap((pod) => troubleOf(pod) ?? []);
    const isFinal = troubles.some((trouble) => trouble.isFinal);
    if (isFinal && Date.now() - began > graceMs) throw await failure(api, inputs, "does not come up", troubles);
    return new NotYet("it is not ready");
  };
  return poll(look, {
    timeoutMs,
    signal,
    cancelled: `${name}: cancelled before it was ready`,
    late: async () => {
      throw await failure(api, inputs, `is not ready after ${timeoutMs / 1000} s`, troubles);
    },
  });
}

async function failure(api: KubeApi, { namespace, name }: RolloutInputs, what: string, troubles: Trouble[]) {
  const [first] = troubles.sort((a, b) => Number(b.isFinal) - Number(a.isFinal));
  if (!first) return new UserError(`${name} ${what}: it has no pod yet`);
  const of = first.container === "" || first.container === name ? "it" : `its container ${first.container}`;
  const lines = first.log === undefined ? [] : await lastLines(api, namespace, first);
  const advice = adviceOn(first.what);
  return new UserError(
    [
      `${name} ${what}: ${of} ${first.container === "" ? "is held up: " : ""}${first.what}`,
      ...(lines.length > 0 ? [`  its log (pod ${first.pod}) ends with`, ...lines.map((line) => `    ${line}`)] : []),
      ...(advice ? [`  ${advice}`] : []),
    ].join("\n"),
  );
}

/** If a log cannot be read, this is not the error to report. */
async function lastLines(api: KubeApi, namespace: string, { pod, container, log }: Trouble): Promise<string[]> {
  const options = { container, tail: 10, previous: log === "previous" };
  const text = await api.log({ namespace, name: pod }, options).catch(() => "");
  return text.split("\n").filter((line) => line.trim() !== "");
}

function adviceOn(what: string): string | undefined {
  if (/pull|manifest unknown|not found|unauthorized|denied/i.test(what) && /Image/.test(what))
    return "is the image there, by this name? A registry that asks for a password needs `pullSecret`.";
  if (/permission denied|EACCES|read-only file system/i.test(what)) return "it runs as the user 1000, not as root.";
  return undefined;
}
