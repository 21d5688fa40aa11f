import { UserError } from "../../lib/errors.ts";
import { stackDir } from "../../lib/paths.ts";
import type { StackConfig } from "../config/config.ts";
import { problemLine } from "../config/problems.ts";
import { type Backend, onThisMachine } from "./backend.ts";
import { type Problem, portsOf } from "./checks.ts";
import { type DeclaredWorkload, hasDemo } from "./declared.ts";
import { demoInCluster, demoOnThisMachine } from "./demo.ts";
import { portsInUse, programProblems } from "./machine.ts";
import { KeyError, reach } from "./reach.ts";

/** Where the stack's own workloads are, in a cluster. */
const namespace = "default";

/**
 * The stack's backends: the demo's where it has them, and a person's own, which are looked for before anything is made.
 * @throws UserError that names, each with its key, what is not there, not as it is declared, or in the way
 */
export async function findBackends(config: StackConfig, stack: string): Promise<Backend[]> {
  const { cluster, ports } = config;
  const isLocal = cluster === "local";
  const demo = isLocal ? demoOnThisMachine(ports) : demoInCluster(namespace);
  const [found, inUse] = await Promise.all([
    Promise.all(Object.entries(config.workloads ?? {}).map(([name, workload]) => find(name, workload))),
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

async function find(name: string, workload: DeclaredWorkload): Promise<Found> {
  const at = (key: string) => ["workloads", name, key];
  switch (workload.kind) {
    case "command": {
      const problems = programProblems(workload).map(({ key, message }) => ({ path: at(key), message }));
      return { backend: onThisMachine(name, workload.port, workload.http2 ? 2 : 1), problems };
    }
    case "url":
      try {
        return { backend: { name, at: await reach(workload) }, problems: [] };
      } catch (error) {
        if (!(error instanceof KeyError)) throw error;
        return { problems: [{ path: at(error.key), message: error.message }] };
      }
  }
}
