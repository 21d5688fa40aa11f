/**
 * What @pulumi/command runs to make and to delete a kind cluster: `kind-command.ts create|delete`, the `KindSpec` as JSON
 * on its input. `create` prints the kubeconfig. Both touch a cluster only if the stack has made it.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { json } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { mendable, messageOf, UserError } from "../../lib/errors.ts";
import { type ExecOptions, exec } from "../../lib/exec.ts";
import { writeWhole } from "../../lib/files.ts";
import { withLock } from "../../process/lock.ts";
import { type Container, docker, findContainers } from "./docker.ts";
import {
  asDocument,
  hostsDirectory,
  hostsToml,
  inPlace,
  type KindSpec,
  kindConfig,
  nodeName,
  ownerId,
  ownership,
} from "./kind/config.ts";
import { foreignCluster } from "./kind/machine.ts";
import { kindEnvironment } from "./kind/proxies.ts";

/** Pulling the node image is the longest part, and kind tells nothing of it meanwhile. */
const createTimeoutMs = 900_000;

/** Makes the cluster, or takes over the stack's own one. @returns the kubeconfig's text */
export async function createCluster(spec: KindSpec): Promise<string> {
  mkdirSync(`${spec.owner.directory}/kind`, { recursive: true });
  // A run that was killed may have left its `kind create` behind, still at work.
  return withLock(`${spec.owner.directory}/kind.lock`, () => takeOverOrMake(spec), createTimeoutMs);
}

async function takeOverOrMake(spec: KindSpec): Promise<string> {
  const node = await ownNode(spec);
  if (!node || !(await takeOver(node, spec))) {
    if (node) await kind(["delete", "cluster", "--name", spec.name, "--kubeconfig", spec.kubeconfig]);
    await make(spec);
  }
  const kubeconfig = await kind(["get", "kubeconfig", "--name", spec.name]);
  writeWhole(spec.kubeconfig, kubeconfig, 0o600);
  writeWhole(currentFile(spec), spec.generation);
  return kubeconfig;
}

/** The cluster's node if the stack has made it. @throws UserError when somebody else has */
async function ownNode({ name, owner }: KindSpec): Promise<Container | undefined> {
  const [node] = await findContainers([nodeName(name)]);
  if (!node || ownership(node)?.owner === ownerId(owner)) return node;
  throw new UserError(foreignCluster(name, node));
}

/** @returns false for a cluster whose making was cut short, and for one of another generation */
async function takeOver(node: Container, spec: KindSpec): Promise<boolean> {
  if (ownership(node)?.generation !== spec.generation) return false;
  const finished = await isFinished(node, spec);
  if (!node.running && !finished) return false;
  if (!node.running) await docker([node.paused ? "unpause" : "start", node.name]);
  if (await isReady(node, finished ? 180 : 5)) {
    await configureRegistries(node.name, spec);
    return true;
  }
  if (!finished) return false;
  throw new UserError(
    `the cluster ${spec.name} does not get ready: see \`docker logs ${node.name}\`; \`kind delete cluster --name ${spec.name}\` lets the next \`up\` make it anew`,
  );
}

/** The registries come last, so that a node that knows them has everything else. A stopped one can be asked too. */
async function isFinished({ name }: Container, { registries }: KindSpec): Promise<boolean> {
  const files = Object.keys(registries).map((registry) => `${hostsDirectory(registry)}/hosts.toml`);
  const results = await Promise.all(files.map((file) => exec("docker", ["cp", `${name}:${file}`, "-"])));
  return results.every(({ code }) => code === 0);
}

async function isReady({ name }: Container, seconds: number): Promise<boolean> {
  const end = Date.now() + seconds * 1000;
  const kubectl = ["exec", name, "kubectl", "--kubeconfig=/etc/kubernetes/admin.conf", "--request-timeout=5s"];
  do {
    const args = [...kubectl, "wait", "--for=condition=Ready", "node", "--all", `--timeout=${seconds}s`];
    const { code } = await exec("docker", args);
    // kind makes the storage class after everything that the node itself needs.
    if (code === 0) return (await exec("docker", [...kubectl, "get", "storageclass", "standard"])).code === 0;
    await new Promise((resolve) => setTimeout(resolve, 500));
  } while (Date.now() < end);
  return false;
}

async function make(spec: KindSpec): Promise<void> {
  rmSync(spec.kubeconfig, { force: true });
  console.error(`creating the kind cluster ${spec.name}`);
  const image = spec.nodeImage === undefined ? [] : ["--image", spec.nodeImage];
  const args = ["--name", spec.name, "--kubeconfig", spec.kubeconfig, "--config", "-", "--wait", "180s", ...image];
  await kind(["create", "cluster", ...args], {
    input: kindConfig(spec),
    env: kindEnvironment(process.env, hosts(spec)),
  });
  const node = nodeName(spec.name);
  if (!(await isReady({ name: node } as Container, 5)))
    throw new UserError(`the cluster ${spec.name} did not get ready within 180 s: see \`docker logs ${node}\``);
  await configureRegistries(node, spec);
}

async function configureRegistries(node: string, { registries }: KindSpec): Promise<void> {
  for (const [registry, address] of Object.entries(registries)) {
    const directory = hostsDirectory(registry);
    await docker(["exec", node, "mkdir", "-p", directory]);
    await docker(["exec", "-i", node, "tee", `${directory}/hosts.toml`], hostsToml(address));
  }
}

/** Names the generation that is in use. */
const currentFile = ({ owner }: KindSpec) => `${owner.directory}/kind/current`;

/** Another generation is in use by now: this one has gone, and what is there is that one's. */
function hasSuccessor(spec: KindSpec): boolean {
  return existsSync(currentFile(spec)) && readFileSync(currentFile(spec), "utf8") !== spec.generation;
}

/** Deletes the cluster if the stack has made it; anybody else's is left alone, and the one that came in its place. */
export async function deleteCluster(spec: KindSpec): Promise<void> {
  if (hasSuccessor(spec)) return;
  const [node] = await findContainers([nodeName(spec.name)]);
  if (node && ownership(node)?.owner === ownerId(spec.owner))
    await kind(["delete", "cluster", "--name", spec.name, "--kubeconfig", spec.kubeconfig]);
  else if (node) console.error(`left alone: ${foreignCluster(spec.name, node)}`);
  for (const path of [spec.kubeconfig, `${spec.owner.directory}/kind`]) rmSync(path, { recursive: true, force: true });
}

/** What a node has to reach of the stack: the registry by both of its names. */
function hosts({ registries }: KindSpec): string[] {
  return Object.entries(registries).flatMap(([name, address]) => [
    new URL(`http://${name}`).hostname,
    new URL(address).hostname,
  ]);
}

async function kind(args: string[], options: Pick<ExecOptions, "input" | "env"> = {}): Promise<string> {
  const { code, stdout, stderr } = await exec("kind", args, { ...options, timeoutMs: createTimeoutMs });
  if (code !== 0) throw new UserError(`kind ${args.slice(0, 2).join(" ")} failed:\n${stderr.trim()}`);
  return stdout;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const spec = inPlace((await json(process.stdin)) as KindSpec);
    if (process.argv[2] === "delete") await deleteCluster(spec);
    else process.stdout.write(asDocument(await createCluster(spec)));
  } catch (error) {
    console.error(mendable(error)?.message ?? (error instanceof Error ? error.stack : messageOf(error)));
    process.exitCode = 1;
  }
}
