import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { root, stackDir } from "../../lib/paths.ts";
import { localCluster } from "../cluster/index.ts";
import type { StackConfig } from "../config/config.ts";
import { problemLine } from "../config/problems.ts";
import { type Backend, onThisMachine } from "./backend.ts";
import { type Problem, portsOf } from "./checks.ts";
import { type Declaration, type DeclaredWorkload, hasDemo } from "./declared.ts";
import { demoInCluster, demoOnThisMachine, deployed, namespace } from "./demo.ts";
import { findSecret, findService } from "./existing.ts";
import { portsInUse, programProblems } from "./machine.ts";
import { KeyError, reach } from "./reach.ts";

/**
 * The stack's backends: the demo's where it has them, and a person's own, which are looked for before anything is made.
 * @throws UserError that names, each with its key, what is not there, not as it is declared, or in the way
 */
export async function findBackends(config: StackConfig, stack: string): Promise<Backend[]> {
  const { cluster, ports } = config;
  const isLocal = cluster === localCluster;
  const demo = isLocal ? demoOnThisMachine(ports) : demoInCluster(namespace);
  const kubeconfig = join(stackDir(stack), "kubeconfig");
  const declared = Object.entries(config.workloads ?? {});
  const [found, inUse] = await Promise.all([
    Promise.all(declared.map(([name, workload]) => find(name, workload, kubeconfig))),
    isLocal ? portsInUse(portsOf(config), stackDir(stack)) : [],
  ]);
  const problems = [...found.flatMap(({ problems }) => problems).map(toLine), ...inUse];
  if (problems.length > 0) throw new UserError(problems.join("\n"));
  return [...(hasDemo(config) ? demo : []), ...found.flatMap(({ backend }) => backend ?? [])];
}

const toLine = ({ path, message }: Problem) => problemLine(path, message, "meshup:");

interface Found {
  backend?: Backend;
  problems: Problem[];
}

/** @param kubeconfig of the stack's cluster, if there is one yet */
async function find(name: string, workload: DeclaredWorkload, kubeconfig: string): Promise<Found> {
  const problem = (key: string, message: string) => ({ path: ["workloads", name, ...key.split(".")], message });
  try {
    if (workload.kind === "url") return { backend: { name, at: await reach(workload) }, problems: [] };
    if (workload.kind === "service") return { backend: await findService(name, workload, kubeconfig), problems: [] };
    if (workload.kind === "image") await findPullSecret(workload, kubeconfig);
    if (workload.kind === "build") checkBuild(workload);
  } catch (error) {
    if (!(error instanceof KeyError)) throw error;
    return { problems: [problem(error.key, error.message)] };
  }
  const http = workload.http2 ? 2 : 1;
  if (workload.kind !== "command") return { backend: deployed(name, namespace, http), problems: [] };
  const problems = programProblems(workload).map(({ key, message }) => problem(key, message));
  return { backend: onThisMachine(name, workload.port, http), problems };
}

async function findPullSecret({ pullSecret }: Declaration<"image">, kubeconfig: string): Promise<void> {
  if (typeof pullSecret === "string") await findSecret("pullSecret", { namespace, name: pullSecret }, kubeconfig);
}

function checkBuild({ build }: Declaration<"build">): void {
  if (!existsSync(resolve(root, build))) throw new KeyError("build", `${build}: there is no such folder`);
  if (!existsSync(resolve(root, build, "Dockerfile")))
    throw new KeyError("build", `${build} has no Dockerfile, which says how its image is made`);
}
