/** What of a stack is still coming up: after its machine, or Docker, was started anew, much of it is for a minute or two. */
import { setTimeout as sleep } from "node:timers/promises";
import { findContainers } from "../../components/cluster/docker.ts";
import { nodeName } from "../../components/cluster/kind/config.ts";
import type { KubeApi, KubeObject } from "../../kube/api.ts";
import { isReady, type Pod, readySince } from "../../kube/pods.ts";
import { httpRequest } from "../../lib/http.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Deployment } from "../stack/stack.ts";
import { kindOf, openCluster, type Part } from "./cluster.ts";
import { processesOf } from "./processes.ts";
import type { Proof } from "./proof.ts";

/** What has just come up has yet to hear of the rest: proxies of their configuration, autoscalers of figures. */
const freshMs = 45_000;
/** No longer is anything waited for. */
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
  const end = Date.now() + limitMs;
  for (let said = ""; ; ) {
    const proofs = await prove();
    if (proofs.every(({ ok }) => ok) || Date.now() > end) return proofs;
    const waiting = (await comingUp()).join(", ");
    if (waiting === "") return proofs;
    if (waiting !== said) terminal.note(`Waiting for what is still coming up: ${waiting}`);
    said = waiting;
    await sleep(1000);
  }
}

/** What of a stack is not up yet, by name. */
export async function comingUp(deployment: Deployment | undefined, now = Date.now()): Promise<string[]> {
  const all = await Promise.all([
    processesComingUp(deployment, now),
    nodeComingUp(deployment, now),
    registryComingUp(deployment),
    clusterComingUp(deployment, now),
  ]);
  return all.flat();
}

/** Processes of this machine that live, but do not answer yet. */
async function processesComingUp(deployment: Deployment | undefined, now: number): Promise<string[]> {
  const living = processesOf(deployment, now).filter(({ alive }) => alive);
  const urls = new Map(
    deployment?.resources?.flatMap(({ type, inputs }) => {
      const { name, ready } = (inputs ?? {}) as { name?: string; ready?: { url: string } };
      return type === "meshup:local:Process" && name !== undefined && ready ? [[name, ready.url]] : [];
    }),
  );
  const looked = living.map(async ({ name }) => ((await answers(urls.get(name))) ? [] : [name]));
  return (await Promise.all(looked)).flat();
}

/** kind's node: until its pods are looked at again, they seem to be what they were before. */
async function nodeComingUp(deployment: Deployment | undefined, now: number): Promise<string[]> {
  const kind = kindOf(deployment);
  if (!kind) return [];
  const [node] = await findContainers([nodeName(kind.name)]).catch(() => []);
  return node?.running && isFresh(node.startedAt, now)
    ? [`the cluster's node (it started less than ${freshMs / 1000} s ago)`]
    : [];
}

async function registryComingUp(deployment: Deployment | undefined): Promise<string[]> {
  const container = deployment?.resources?.find((r) => r.type === "docker:index/container:Container" && !r.delete);
  const port = (container?.inputs?.ports as { external: number }[] | undefined)?.[0]?.external;
  return port === undefined || (await answers(`http://127.0.0.1:${port}/v2/`)) ? [] : ["the registry"];
}

async function clusterComingUp(deployment: Deployment | undefined, now: number): Promise<string[]> {
  try {
    const cluster = await openCluster(deployment);
    if (!cluster) return [];
    const { api, parts } = cluster;
    const system = { name: "kube-system", pods: () => allPods(api, "kube-system") };
    const [nodes, ...pods] = await Promise.all([
      nodesComingUp(api),
      ...[...parts, system].map((p) => partComingUp(p, now)),
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
  return (await api.list<Pod>(`/api/v1/namespaces/${namespace}/pods`)).filter(
    ({ metadata, status }: KubeObject & Pick<Pod, "status">) =>
      !metadata.deletionTimestamp && status?.phase !== "Succeeded",
  );
}

async function partComingUp({ name, pods }: Pick<Part, "name" | "pods">, now: number): Promise<string[]> {
  const all = await pods();
  const ready = all.filter(isReady);
  if (all.length === 0) return [`${name} (no pod yet)`];
  if (ready.length < all.length) return [`${name} (${ready.length} of ${all.length} ready)`];
  const newest = ready.map(readySince).sort().at(-1);
  return isFresh(newest, now) ? [`${name} (ready for less than ${freshMs / 1000} s)`] : [];
}

/** @param time RFC 3339 */
const isFresh = (time: string | undefined, now: number) => time !== undefined && now - Date.parse(time) < freshMs;

async function answers(url: string | undefined): Promise<boolean> {
  if (url === undefined) return true;
  const answer = await httpRequest({ url, timeoutMs: 2000 }).catch(() => undefined);
  return answer !== undefined && answer.status < 500;
}
