import type { StackConfig } from "../config/config.ts";
import type { Backend } from "./backend.ts";
import { type DeclaredWorkload, hasDemo } from "./declared.ts";
import { demoInCluster, demoOnThisMachine } from "./demo.ts";

/** Where the stack's own workloads are, in a cluster. */
const namespace = "default";

/** The stack's backends: the demo's where it has them, and a person's own. */
export function backendsOf(config: Pick<StackConfig, "cluster" | "ports" | "workloads" | "demo">): Backend[] {
  const { cluster, ports, workloads = {} } = config;
  const demo = cluster === "local" ? demoOnThisMachine(ports) : demoInCluster(namespace);
  return [
    ...(hasDemo(config) ? demo : []),
    ...Object.entries(workloads).map(([name, workload]) => ownBackend(name, workload)),
  ];
}

function ownBackend(name: string, { url }: DeclaredWorkload): Backend {
  const { hostname, port } = new URL(url);
  return { name, at: { type: "url", scheme: "http", host: hostname, port: Number(port || 80) } };
}
