/** The node of a stack's kind cluster: whether it is there, whose it is, and what makes it usable. */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import https from "node:https";
import { join } from "node:path";
import { parse } from "yaml";
import { inThisClone } from "../../../lib/clone.ts";
import { UserError } from "../../../lib/errors.ts";
import { exec } from "../../../lib/exec.ts";
import { writeWhole } from "../../../lib/files.ts";
import { NotYet, poll } from "../../../lib/poll.ts";
import { isRunning } from "../../../process/table.ts";
import { type Container, docker, findContainers } from "../docker.ts";
import { kindCreate } from "./commands.ts";
import { hostsDirectory, kubeconfigIn, nodeName, ownership } from "./config.ts";
import { foreignCluster } from "./machine.ts";
import { proxyEnvironment } from "./proxies.ts";

export interface NodeArgs {
  /** Name of the cluster. */
  cluster: string;
  /** Whose it is: see `ownerId`. */
  owner: string;
  /** Absolute path of the stack's folder in the clone. */
  directory: string;
  /** What the cluster is made from and cannot be changed in, in short; its generation ends with it. */
  settings: string;
  /** Registries that the node reaches without a proxy: the name that images are pulled by → address. */
  registries: Record<string, string>;
}

export interface NodeState {
  /** Of the cluster that is there, or of the one that is to be made: one made anew is another. */
  generation: string;
  /** What `kind create cluster` is to have in its environment: the proxies of the day. */
  environment: Record<string, string>;
}

/** Pulling the node's image is the longest part. */
const makingMs = 900_000;

/** A look at Docker and at the API server: true when the cluster is gone, another one, stopped, or not to be reached. */
export async function hasChanged(args: NodeArgs, generation: string): Promise<boolean> {
  const [node] = await findContainers([nodeName(args.cluster)]);
  if (!node?.running || !isOwn(node, args) || ownership(node)?.generation !== generation) return true;
  return !(await isAnswering(kubeconfigIn(args.directory)));
}

/**
 * Makes the cluster usable that is there. What an interrupted run has left of one goes: then, as where there is none, it
 * names the one that is to be made.
 * @throws UserError when it is somebody else's, and when it does not get ready
 */
export async function settle(
  args: NodeArgs,
  before?: NodeArgs & NodeState,
  { signal, say }: Watch = {},
): Promise<NodeState> {
  const { cluster, directory, settings, registries } = args;
  const kubeconfig = kubeconfigIn(directory);
  mkdirSync(join(directory, "kind"), { recursive: true }); // a new node has its mark there
  await untilNobodyMakesIt(args, { signal, say });
  const [node] = await findContainers([nodeName(cluster)]);
  if (node && !isOwn(node, args)) throw new UserError(foreignCluster(cluster, node));
  if (node && (await becomesUsable(node, { ...args, registries: { ...before?.registries, ...registries } }, signal))) {
    writeWhole(kubeconfig, await kind(["get", "kubeconfig", "--name", cluster]), 0o600);
    return { generation: ownership(node)?.generation ?? "", environment: before?.environment ?? {} };
  }
  if (node) await kind(["delete", "cluster", "--name", cluster, "--kubeconfig", kubeconfig]);
  rmSync(kubeconfig, { force: true });
  const generation = `${randomUUID().slice(0, 8)}-${settings}`;
  return { generation, environment: proxyEnvironment(process.env, hosts(registries)) };
}

/** Removes the files, and a cluster of the stack's that no state has told of. */
export async function remove({ cluster, owner, directory }: NodeArgs): Promise<void> {
  const folder = inThisClone(directory);
  const [node] = await findContainers([nodeName(cluster)]);
  if (node && isOwn(node, { owner }))
    await kind(["delete", "cluster", "--name", cluster, "--kubeconfig", kubeconfigIn(folder)]);
  for (const path of [kubeconfigIn(folder), join(folder, "kind")]) rmSync(path, { recursive: true, force: true });
}

interface Watch {
  /** Ends the waiting. */
  signal?: AbortSignal;
  /** Tells what is waited for. */
  say?: (message: string) => void;
}

const isOwn = (node: Container, { owner }: Pick<NodeArgs, "owner">) => ownership(node)?.owner === owner;

/** A run that was killed may have left its `kind create` behind, still at work. */
async function untilNobodyMakesIt({ cluster, directory }: NodeArgs, { signal, say }: Watch): Promise<void> {
  const waiting = new NotYet(`waiting for the \`${kindCreate} ${cluster}\` that an earlier run has begun`);
  const look = () => !isRunning(`${kindCreate} ${cluster} `, kubeconfigIn(directory)) || waiting;
  await poll(look, { timeoutMs: makingMs, signal, cancelled: cancelled(cluster), say });
}

/** @returns false for a cluster whose making was cut short */
async function becomesUsable(node: Container, args: NodeArgs, signal?: AbortSignal): Promise<boolean> {
  const finished = await isFinished(node, args);
  if (!node.running && !finished) return false;
  if (!node.running) await docker([node.paused ? "unpause" : "start", node.name]);
  if (await isReady(node.name, args, finished ? 180 : 5, signal)) return true;
  if (!finished) return false;
  throw new UserError(
    `the cluster ${args.cluster} does not get ready: see \`docker logs ${node.name}\`; \`kind delete cluster --name ${args.cluster}\` lets the next \`up\` make it anew`,
  );
}

/** What `docker cp` says, by its version. */
const noSuchFile = /no such container:path|could not find the file|no such file or directory/i;

/** The registries come last: a node that knows one, as it was named or is now, has everything else. Stopped, it tells too. */
async function isFinished({ name }: Container, { registries }: NodeArgs): Promise<boolean> {
  const files = Object.keys(registries).map((registry) => `${hostsDirectory(registry)}/hosts.toml`);
  const results = await Promise.all(files.map((file) => exec("docker", ["cp", `${name}:${file}`, "-"])));
  const failure = results.find(({ code, stderr }) => code !== 0 && !noSuchFile.test(stderr));
  if (failure) throw new UserError(`docker cp from ${name} failed: ${failure.stderr.trim()}`); // it may be finished
  return results.some(({ code }) => code === 0);
}

async function isReady(node: string, args: NodeArgs, seconds: number, signal?: AbortSignal): Promise<boolean> {
  const kubectl = ["exec", node, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=5s"];
  const does = async (...what: string[]) => (await exec("docker", [...kubectl, ...what])).code === 0;
  return poll(
    async () =>
      // kind makes the storage class after everything that the node itself needs.
      ((await does("wait", "--for=condition=Ready", "node", "--all", "--timeout=5s")) &&
        (await does("get", "storageclass", "standard"))) ||
      new NotYet("it is not ready"),
    { timeoutMs: seconds * 1000, signal, cancelled: cancelled(args.cluster), late: () => false },
  );
}

/** Kubernetes' client would take longer to load than all the rest of this. */
export async function isAnswering(kubeconfig: string): Promise<boolean> {
  const cluster = clusterIn(kubeconfig);
  if (!cluster) return false;
  return new Promise((resolve) => {
    // Everybody may ask it for this.
    const request = https.get(cluster.readyz, { ca: cluster.ca, timeout: 5000, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
  });
}

/** Undefined where the file is not there, or not what kind has written. */
function clusterIn(kubeconfig: string): { readyz: URL; ca: Buffer } | undefined {
  try {
    const [{ cluster }] = parse(readFileSync(kubeconfig, "utf8")).clusters;
    return {
      readyz: new URL("/readyz", cluster.server),
      ca: Buffer.from(cluster["certificate-authority-data"], "base64"),
    };
  } catch {
    return undefined;
  }
}

/** What a node has to reach of the stack: the registry by both of its names. */
function hosts(registries: Record<string, string>): string[] {
  return Object.entries(registries).flatMap(([name, address]) => [
    new URL(`http://${name}`).hostname,
    new URL(address).hostname,
  ]);
}

const cancelled = (cluster: string) => `cancelled before the cluster ${cluster} was ready`;

async function kind(args: string[]): Promise<string> {
  const { code, stdout, stderr } = await exec("kind", args, { timeoutMs: 120_000 });
  if (code !== 0) throw new UserError(`kind ${args.slice(0, 2).join(" ")} failed:\n${stderr.trim()}`);
  return stdout;
}
