/** What of a stack is still coming up: after its machine, or Docker, was started anew, much of it is for a minute or two. */
import { type Container, findContainers } from "../../components/cluster/docker.ts";
import type { Part } from "../../components/mesh/inspector.ts";
import type { KubeApi } from "../../kube/api.ts";
import { isReady, type Pod, readySince, wasStartedSince } from "../../kube/pods.ts";
import { httpRequest } from "../../lib/http.ts";
import { NotYet, type PollOptions, poll } from "../../lib/poll.ts";
import type { Terminal } from "../output/terminal.ts";
import { clusterInspectorOf, openCluster, placeOf, type StackView } from "./cluster.ts";
import { processesIn } from "./processes.ts";
import type { Proof } from "./proof.ts";

/** A pod that has just become ready still lacks things: proxies their configuration, autoscalers their figures. */
const defaultFreshMs = 45_000;
/** The most that is waited in all. */
const patienceMs = 300_000;

/**
 * Proves all filters. As long as a proof fails while something of the stack is still coming up, that is said, and they are
 * proved again.
 * @param prove with the short patience that what is up deserves
 * @param comingUp what is not yet, by name
 */
export async function proveWhenUp(
  prove: () => Promise<Proof[]>,
  comingUp: () => Promise<string[]>,
  terminal: Pick<Terminal, "note">,
  limitMs = patienceMs,
): Promise<Proof[]> {
  let proofs: Proof[] = [];
  const look = async () => {
    proofs = await prove();
    return proofs.every(({ ok }) => ok) ? undefined : await missing(comingUp);
  };
  await poll(look, patient(terminal, limitMs));
  return proofs;
}

/** Waits until nothing is coming up any more, and says what is. */
export async function waitUntilUp(
  comingUp: () => Promise<string[]>,
  terminal: Pick<Terminal, "note">,
  limitMs = patienceMs,
): Promise<void> {
  await poll(() => missing(comingUp), patient(terminal, limitMs));
}

async function missing(comingUp: () => Promise<string[]>): Promise<NotYet | undefined> {
  const waiting = await comingUp();
  return waiting.length === 0 ? undefined : new NotYet(waiting.join(", "));
}

/** When the time is up, that is no error: the command goes on with what is there. */
function patient(terminal: Pick<Terminal, "note">, timeoutMs: number): PollOptions<void> {
  const say = (why: string) => terminal.note(`Waiting for what is still coming up: ${why}`);
  return { timeoutMs, everyMs: 1000, say, late: () => {} };
}

/** When this machine's cluster was started again, after it had been made: milliseconds since 1970; undefined for one that ran on. */
export function restartOf({
  createdAt = "",
  startedAt = "",
}: Pick<Container, "createdAt" | "startedAt">): number | undefined {
  const [created, started] = [Date.parse(createdAt), Date.parse(startedAt)];
  return started - created > 30_000 ? started : undefined;
}

export interface ComingUpOptions {
  /** Milliseconds since 1970. */
  now?: number;
  /** What has been ready for a shorter time still counts as coming up. */
  freshMs?: number;
  /** False: a part without any pod is not waited for. */
  missing?: boolean;
}

/** What of a stack is not up yet, by name. */
export async function comingUp(
  stack: StackView,
  { now = Date.now(), freshMs = defaultFreshMs, missing = true }: ComingUpOptions = {},
): Promise<string[]> {
  const node = await (await clusterInspectorOf(stack))?.node(stack);
  const cluster = { now, freshMs, missing, since: (node && restartOf(node)) ?? 0 };
  const all = await Promise.all([
    processesComingUp(stack, now),
    registryComingUp(stack),
    clusterComingUp(stack, cluster),
  ]);
  return all.flat();
}

/** Processes of this machine that live, but do not answer yet. */
async function processesComingUp({ directory }: StackView, now: number): Promise<string[]> {
  const living = processesIn(directory, now).filter(({ alive }) => alive);
  const looked = living.map(async ({ name, readyUrl }) => ((await answers(readyUrl)) ? [] : [name]));
  return (await Promise.all(looked)).flat();
}

async function registryComingUp(stack: StackView): Promise<string[]> {
  const registry = (await clusterInspectorOf(stack))?.registry(stack);
  if (!registry || (await answers(`${registry.url}/v2/`))) return [];
  const [container] = await findContainers([registry.container]).catch(() => []);
  return container?.running ? ["the registry"] : []; // one that has stopped is not about to answer
}

interface When {
  now: number;
  freshMs: number;
  missing: boolean;
  /** What is said of pods from before this time is outdated. */
  since: number;
}

async function clusterComingUp(stack: StackView, when: When): Promise<string[]> {
  try {
    const place = await placeOf(stack);
    if (!place) return [];
    const { api, parts } = await openCluster(place, stack.outputs);
    const system = { name: "kube-system", pods: () => allPods(api, "kube-system") };
    const [nodes, ...pods] = await Promise.all([
      nodesComingUp(api),
      ...[...parts, system].map((part) => partComingUp(part, when)),
    ]);
    return [...nodes, ...pods.flat()];
  } catch {
    return ["the cluster's API server"];
  }
}

async function nodesComingUp(api: KubeApi): Promise<string[]> {
  const nodes = await api.list<Pod>("/api/v1/nodes");
  return nodes.filter((node) => !isReady(node)).map(({ metadata }) => `node ${metadata.name}`);
}

async function allPods(api: KubeApi, namespace: string): Promise<Pod[]> {
  const pods = await api.list<Pod>(`/api/v1/namespaces/${namespace}/pods`);
  return pods.filter(({ metadata }) => !metadata.deletionTimestamp);
}

/** Such a pod does not come up any more: its job is done, or its node has put it out. */
const hasEnded = (phase: string | undefined) => phase === "Succeeded" || phase === "Failed";

async function partComingUp(
  { name, pods }: Pick<Part, "name" | "pods">,
  { now, freshMs, missing, since }: When,
): Promise<string[]> {
  const all = (await pods()).filter(({ status }) => !hasEnded(status?.phase));
  const ready = all.filter((pod) => isReady(pod) && wasStartedSince(pod, since));
  if (all.length === 0) return missing ? [`${name} (no pod yet)`] : [];
  if (ready.length < all.length) return [`${name} (${ready.length} of ${all.length} ready)`];
  const fresh = freshMs > 0 && ready.some((pod) => now - Date.parse(readySince(pod) ?? "") < freshMs);
  return fresh ? [`${name} (ready for less than ${freshMs / 1000} s)`] : [];
}

async function answers(url: string | undefined): Promise<boolean> {
  if (url === undefined) return true;
  const answer = await httpRequest({ url, timeoutMs: 2000 }).catch(() => undefined);
  return answer !== undefined && answer.status < 500;
}
