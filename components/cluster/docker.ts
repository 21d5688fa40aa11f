import { UserError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";

/** A container as `docker inspect` tells of it, as far as it matters here. */
export interface Container {
  id: string;
  name: string;
  /** A paused one answers nobody, and does not count as running. */
  running: boolean;
  paused: boolean;
  /** RFC 3339: when it was started last, and when it was made. */
  startedAt?: string;
  createdAt?: string;
  labels: Record<string, string>;
  /** Bind mounts and volumes: path in the container → where it comes from. */
  mounts: Record<string, string>;
  /** Ports of this machine that lead to it, while it runs. */
  ports: number[];
  /** Its names on each network. */
  aliases: Record<string, string[]>;
}

/** What `docker` says when there is no such container. */
const absent = /no such (container|object)/i;

/**
 * Runs the docker client to its end.
 * @returns what it printed
 * @throws UserError when there is no client, when the engine does not answer, and when the command fails
 */
export async function docker(args: string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await run(args, input);
  if (code !== 0) throw new UserError(`docker ${args[0]} failed: ${stderr.trim()}`);
  return stdout;
}

/** The containers of these names that there are, running or not. */
export async function findContainers(names: string[]): Promise<Container[]> {
  const { stdout, stderr } = await run(["container", "inspect", ...names]);
  const failure = stderr.split("\n").find((line) => line.trim() !== "" && !absent.test(line));
  if (failure !== undefined) throw new UserError(`docker container inspect failed: ${failure}`);
  return parseContainers(stdout);
}

/** Every container on this machine. */
export async function allContainers(): Promise<Container[]> {
  const ids = (await docker(["ps", "--all", "--quiet", "--no-trunc"])).split("\n").filter(Boolean);
  return ids.length === 0 ? [] : findContainers(ids);
}

/** Where the docker client finds its engine: what DOCKER_HOST says, or the client's context. */
export async function dockerHost(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  return env.DOCKER_HOST || (await docker(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])).trim();
}

/** A look at what is there takes an engine no longer, also a busy one; pulls and pushes take what they take. */
const lookMs = 60_000;

async function run(args: string[], input?: string) {
  const timeoutMs = /^(ps|context|container|network)$/.test(args[0] ?? "") ? lookMs : undefined;
  const result = await exec("docker", args, { input, timeoutMs }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT")
      throw new UserError("docker is not on PATH: a kind cluster runs in Docker (https://docs.docker.com/get-docker/)");
    throw error;
  });
  if (result.code === null && timeoutMs !== undefined)
    throw new UserError(`Docker does not answer within ${lookMs / 1000} s (docker ${args[0]}): restart it`);
  const problem = result.code === 0 ? undefined : engineProblem(result.stderr);
  if (problem !== undefined) throw new UserError(problem);
  return result;
}

/** Why the engine cannot be used, from what the client says; undefined when it says something else. */
export function engineProblem(stderr: string): string | undefined {
  const said = stderr.trim().split("\n")[0]?.slice(0, 300);
  if (/permission denied/i.test(stderr) && /connect|socket/i.test(stderr))
    return `this user may not use Docker: add it to the group docker, or use rootless Docker (docker says: ${said})`;
  if (
    /cannot connect to the docker daemon|is the docker daemon running|error during connect|failed to connect/i.test(
      stderr,
    )
  )
    return `Docker is not running: start it and run the command again (docker says: ${said})`;
  return undefined;
}

/** Reads what `docker container inspect` prints. */
export function parseContainers(json: string): Container[] {
  return (JSON.parse(json || "[]") as Inspected[]).map((c) => ({
    id: c.Id,
    name: c.Name.replace(/^\//, ""),
    running: c.State.Running && !c.State.Paused,
    paused: c.State.Paused ?? false,
    ...(c.State.StartedAt && { startedAt: c.State.StartedAt }),
    ...(c.Created && { createdAt: c.Created }),
    labels: c.Config.Labels ?? {},
    mounts: Object.fromEntries(c.Mounts.map((m) => [m.Destination, m.Source])),
    ports: Object.values(c.NetworkSettings.Ports ?? {})
      .flatMap((bindings) => bindings ?? [])
      .map(({ HostPort }) => Number(HostPort)),
    aliases: Object.fromEntries(
      Object.entries(c.NetworkSettings.Networks ?? {}).map(([name, network]) => [name, network.Aliases ?? []]),
    ),
  }));
}

interface Inspected {
  Id: string;
  Name: string;
  Created?: string;
  State: { Running: boolean; Paused?: boolean; StartedAt?: string };
  Config: { Labels: Record<string, string> | null };
  Mounts: { Source: string; Destination: string }[];
  NetworkSettings: {
    Ports: Record<string, { HostPort: string }[] | null> | null;
    Networks: Record<string, { Aliases: string[] | null }> | null;
  };
}
