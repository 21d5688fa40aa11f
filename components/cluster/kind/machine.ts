import { randomUUID } from "node:crypto";
import { coerce, lt } from "semver";
import { messageOf, UserError } from "../../../lib/errors.ts";
import { exec } from "../../../lib/exec.ts";
import { sha256 } from "../../../lib/sha256.ts";
import { assertPortsFree } from "../../../process/ports.ts";
import { allContainers, type Container, dockerHost, findContainers } from "../docker.ts";
import { nodeName, type Owner, ownerId, ownership } from "./config.ts";

/** The oldest kind whose nodes read `/etc/containerd/certs.d` without being told to. */
const oldestKind = "0.27.0";

/** kind's own label on its nodes. */
const clusterLabel = "io.x-k8s.kind.cluster";

/** Docker's own networks, on which containers have no names. */
const unnamed = ["bridge", "host", "none"];

export interface MachineArgs {
  owner: Owner;
  /** Name of the cluster. */
  cluster: string;
  /** Image of its node. Default: kind's own. */
  nodeImage?: string;
  gatewayPort: number;
  /** Name of the registry's container. */
  registry: string;
  registryPort: number;
  /** The name that the registry answers to on kind's network. */
  registryHost: string;
}

/** What is on this machine of a stack, read before anything is made. */
export interface Machine {
  /** Address of the Docker engine that `docker` and `kind` use. */
  dockerHost: string;
  /** The docker network that the node is on, or will be: the registry has to be there, too. */
  network: string;
  /** Generation of the stack's cluster that is there. */
  cluster?: string;
  /** Generation of its registry; a new one when it has to be made, so that Pulumi's diff shows it. */
  registry: string;
}

/**
 * Looks at Docker, kind and the ports. It changes nothing, so that a preview may do it too.
 * @throws UserError that names all that stands in the way
 */
export async function inspectMachine(args: MachineArgs): Promise<Machine> {
  const node = nodeName(args.cluster);
  const problems = environmentProblems(process.env);
  const gather = async <T>(work: Promise<T>): Promise<T | undefined> =>
    work.catch((error) => {
      if (!(error instanceof UserError)) throw error;
      if (!problems.includes(error.message)) problems.push(error.message);
      return undefined;
    });

  const [host, containers] = await Promise.all([
    gather(localDockerHost()),
    gather(findContainers([node, args.registry])),
    gather(checkKind()),
  ]);
  const found = (name: string) => containers?.find((container) => container.name === name);
  const [cluster, registry] = [found(node), found(args.registry)];
  const network = networkOf(cluster, process.env);
  const upToDate = cluster && ownership(cluster)?.generation.endsWith(`-${settingsId(args)}`);
  const holdsPorts = servesPort(cluster, args, args.gatewayPort) && servesPort(registry, args, args.registryPort);
  if (containers && !(upToDate && holdsPorts)) {
    const all = (await gather(allContainers())) ?? [];
    problems.push(...conflicts({ ...args, network }, all));
    const ports = [
      { port: args.gatewayPort, key: "gatewayPort" },
      { port: args.registryPort, key: "registryPort" },
    ].filter(({ port }) => !all.some((container) => container.ports.includes(port)));
    const hints = Object.fromEntries(ports.map(({ port, key }) => [port, `meshup:kind.${key}`]));
    await gather(
      assertPortsFree(
        ports.map(({ port }) => port),
        hints,
      ),
    );
  }
  if (problems.length > 0 || host === undefined) throw new UserError(problems.join("\n"));
  return {
    dockerHost: host,
    network,
    cluster: cluster && ownership(cluster)?.generation,
    registry: registryGeneration({ ...args, network }, registry),
  };
}

/** What in the environment leads `kind` to where `docker` does not go, or to where no name leads. */
export function environmentProblems(env: NodeJS.ProcessEnv): string[] {
  const { KIND_EXPERIMENTAL_PROVIDER: provider, KIND_EXPERIMENTAL_DOCKER_NETWORK: network } = env;
  const problems: string[] = [];
  if (provider && provider !== "docker")
    problems.push(
      `KIND_EXPERIMENTAL_PROVIDER=${provider}: this stack's cluster and registry run in Docker, and kind would look for them in ${provider}: unset it, or set it to docker`,
    );
  if (network && unnamed.includes(network))
    problems.push(
      `KIND_EXPERIMENTAL_DOCKER_NETWORK=${network}: containers have no names on that network, and the cluster finds its registry by name: unset it, or set it to another network`,
    );
  return problems;
}

/** A cluster stays on the network that it was made on, whatever the environment says by now. */
function networkOf(node: Container | undefined, { KIND_EXPERIMENTAL_DOCKER_NETWORK: asked }: NodeJS.ProcessEnv) {
  const own = Object.keys(node?.aliases ?? {});
  const wanted = asked || "kind";
  return own.includes(wanted) ? wanted : (own[0] ?? wanted);
}

/** @throws UserError when the engine is on another machine: what it publishes on loopback would not be on this one's */
async function localDockerHost(): Promise<string> {
  const host = await dockerHost();
  if (/^(unix|npipe|fd):/.test(host) || /^(tcp|https?):\/\/(localhost|127\.[\d.]+|\[::1\])(:|\/|$)/.test(host))
    return host;
  const from = process.env.DOCKER_HOST
    ? "DOCKER_HOST"
    : process.env.DOCKER_CONTEXT
      ? `DOCKER_CONTEXT=${process.env.DOCKER_CONTEXT}`
      : "the context that `docker context use` has chosen";
  throw new UserError(
    `the Docker engine at ${host} is on another machine (${from} leads there), and this stack's gateway and registry would listen on that machine's loopback: choose this machine's engine`,
  );
}

const servesPort = (container: Container | undefined, { owner }: MachineArgs, port: number) =>
  container !== undefined && isOwn(container, owner) && container.ports.includes(port);

const isOwn = (container: Container, owner: Owner) => ownership(container)?.owner === ownerId(owner);

/** What a cluster is made from and cannot be changed in; its generation ends with it. */
export function settingsId({ nodeImage = "", gatewayPort }: Pick<MachineArgs, "nodeImage" | "gatewayPort">): string {
  return sha256(`${nodeImage} ${gatewayPort}`).slice(0, 6);
}

/** One that has stopped, or that its name does not lead to, is made anew, and what it held is pushed again. */
function registryGeneration({ network, registryHost }: MachineArgs & OnNetwork, container?: Container): string {
  const answers = container?.running && container.aliases[network]?.includes(registryHost);
  return (answers && ownership(container)?.generation) || randomUUID().slice(0, 8);
}

interface OnNetwork {
  /** The node's docker network. */
  network: string;
}

/** What is in the way: other people's containers with the stack's names and ports, a cluster of its own from before. */
export function conflicts(args: MachineArgs & OnNetwork, containers: Container[]): string[] {
  const problems: string[] = [];
  for (const container of containers.filter((c) => isOwn(c, args.owner))) {
    const cluster = container.labels[clusterLabel];
    if (cluster !== undefined && cluster !== args.cluster) problems.push(otherSettings(cluster, "meshup:kind.name"));
    else if (cluster !== undefined && !ownership(container)?.generation.endsWith(`-${settingsId(args)}`))
      problems.push(otherSettings(cluster, "meshup:kind.gatewayPort or meshup:nodeImage"));
  }
  for (const container of containers.filter((c) => !isOwn(c, args.owner))) {
    const who = describe(container);
    if (container.name === nodeName(args.cluster)) problems.push(foreignCluster(args.cluster, container));
    if (container.name === args.registry)
      problems.push(`${who} has the name of this stack's registry: remove it, or choose another meshup:kind.name`);
    if (container.ports.includes(args.gatewayPort))
      problems.push(portTaken(args.gatewayPort, "gatewayPort", container));
    if (container.ports.includes(args.registryPort))
      problems.push(portTaken(args.registryPort, "registryPort", container));
    if (container.running && container.aliases[args.network]?.includes(args.registryHost))
      problems.push(
        `${who} answers to ${args.registryHost} on the docker network ${args.network}, as this stack's registry has to: ${remedy(container)}, or choose another name with meshup:kind.registryHost`,
      );
  }
  return problems;
}

/**
 * A cluster cannot be changed, and Pulumi cannot replace one with all that is in it: it would go on to delete, one by
 * one, what had been in it. A cluster that has gone it makes anew.
 */
function otherSettings(cluster: string, keys: string): string {
  return `this stack's kind cluster ${cluster} was made with another ${keys}: \`kind delete cluster --name ${cluster}\`, and \`up\` makes it anew`;
}

/** Why a cluster is not touched. */
export function foreignCluster(name: string, node: Container): string {
  return `there is a kind cluster ${name} that this stack did not make (${describe(node)}): \`kind delete cluster --name ${name}\` if nobody needs it, or choose another name with meshup:kind.name`;
}

function portTaken(port: number, key: string, container: Container): string {
  return `port ${port} is in use by ${describe(container)}: ${remedy(container)}, or choose another port with meshup:kind.${key}`;
}

function describe(container: Container): string {
  const stack = stackOf(container);
  return `the container ${container.name}${stack === undefined ? "" : `, of meshup's stack ${stack}`}`;
}

/** Stacks on the same ports exclude each other. */
function remedy(container: Container): string {
  const stack = stackOf(container);
  const [, clone = "its clone"] = /^(.+)\/\.meshup\//.exec(ownership(container)?.directory ?? "") ?? [];
  return stack === undefined
    ? `\`docker stop ${container.name}\``
    : `\`npm run destroy -- ${stack}\` in ${clone} first`;
}

function stackOf(container: Container): string | undefined {
  return ownership(container)?.owner.replace(/-[0-9a-f]{12}$/, "");
}

async function checkKind(): Promise<void> {
  const install = "https://kind.sigs.k8s.io/docs/user/quick-start/#installation";
  try {
    const { stdout } = await exec("kind", ["version", "--quiet"], { timeoutMs: 30_000 });
    const problem = kindProblem(stdout);
    if (problem !== undefined) throw new UserError(`${problem}: ${install}`);
  } catch (error) {
    if (error instanceof UserError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw new UserError(missing ? `kind is not on PATH: ${install}` : `kind cannot be run: ${messageOf(error)}`);
  }
}

/** @param version what `kind version` prints; undefined is returned for one that will do */
export function kindProblem(version: string): string | undefined {
  const number = coerce(/\d+\.\d+\.\d+/.exec(version)?.[0])?.version;
  if (!number) return `\`kind version\` printed no version: ${version.trim() || "nothing"}`;
  return lt(number, oldestKind) ? `kind ${number} is too old, ${oldestKind} or newer is needed` : undefined;
}
