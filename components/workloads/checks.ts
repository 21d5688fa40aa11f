import { isIP } from "node:net";
import { type Declaration, type Declared, type DeclaredWorkload, hasDemo, type Kind } from "./declared.ts";
import { demoNames } from "./demo.ts";

export interface Problem {
  path: PropertyKey[];
  message: string;
}

/** Of Services that are there besides. */
const taken = { machine: [], cluster: ["client", "kubernetes"] };

const onMachine: Kind[] = ["command", "url"];

interface Stack extends Declared {
  workloads?: Record<string, DeclaredWorkload>;
  ports: Record<string, number>;
}

type Place = "machine" | "cluster";

/** What of a mesh's capabilities is looked at here. */
interface MeshLimits {
  /** Names that its own parts have logs by. */
  logs: string[];
  certificatesByName?: boolean;
}

/**
 * What of a stack's workloads cannot be, as far as their declarations tell.
 */
export function workloadProblems(stack: Stack, place: Place, mesh: MeshLimits): Problem[] {
  const declared = Object.entries(stack.workloads ?? {});
  return [
    ...declared.flatMap(([name]) => nameProblems(name, stack, [...taken[place], ...mesh.logs])),
    ...declared.flatMap(([name, workload]) => placeProblems(name, workload, place, mesh)),
    ...(place === "machine" ? portProblems(stack) : []),
  ];
}

function nameProblems(name: string, stack: Stack, taken: string[]): Problem[] {
  const path = ["workloads", name];
  if (hasDemo(stack) && (demoNames as readonly string[]).includes(name))
    return [{ path, message: `${name} is a workload of the demo's: choose another name, or leave meshup:demo out` }];
  if (taken.includes(name)) return [{ path, message: "a part of the stack has this name: choose another" }];
  return [];
}

function placeProblems(name: string, workload: DeclaredWorkload, place: Place, mesh: MeshLimits): Problem[] {
  const path = ["workloads", name, workload.kind];
  if (place === "machine")
    return onMachine.includes(workload.kind)
      ? []
      : [{ path, message: "needs a cluster (meshup:cluster); on this machine a workload is a command or a url" }];
  if (workload.kind !== "url" && workload.kind !== "service" && !/^[a-z]/.test(name))
    return [{ path: ["workloads", name], message: "it becomes a Service's name, which begins with a letter" }];
  if (workload.kind === "command")
    return [{ path, message: "runs on this machine, which a cluster does not reach: image, build, service, url" }];
  return workload.kind === "url" ? urlProblems(name, workload, mesh) : [];
}

/** Of one that is to be reached from a cluster. */
function urlProblems(name: string, workload: Declaration<"url">, mesh: MeshLimits): Problem[] {
  const problem = (key: string, message: string) => ({ path: ["workloads", name, key], message });
  if (isLoopback(workload.url))
    return [problem("url", `${new URL(workload.url).hostname} is the proxy's own machine there, and not this one`)];
  if (mesh.certificatesByName && isCheckedByAddress(workload))
    return [problem("sni", "is missing; the mesh knows certificates by name, not by address")];
  return [];
}

function isCheckedByAddress({ url, sni }: Declaration<"url">): boolean {
  return url.startsWith("https:") && isIP(sni ?? hostOf(url)) !== 0;
}

export function isLoopback(url: string): boolean {
  const host = hostOf(url);
  return (
    host === "localhost" ||
    host.endsWith(".localhost") ||
    /^127\./.test(host) ||
    ["::1", "0.0.0.0", "::"].includes(host)
  );
}

/** Without the brackets of an IPv6 address. */
export function hostOf(url: string): string {
  const { hostname } = new URL(url);
  const inner = hostname.replace(/^\[|\]$/g, "");
  return isIP(inner) === 6 ? inner : hostname;
}

/** This machine's ports, each with the key that chooses it, in the order of their claims. */
export function portsOf(stack: Stack): { key: string; port: number; user: string }[] {
  const unused: readonly string[] = hasDemo(stack) ? [] : demoNames;
  const own = Object.entries(stack.workloads ?? {});
  return [
    ...Object.entries(stack.ports)
      .filter(([user]) => !unused.includes(user))
      .map(([user, port]) => ({ key: `ports.${user}`, port, user })),
    ...own.flatMap(([name, workload]) =>
      workload.kind === "command" ? [{ key: `workloads.${name}.port`, port: workload.port, user: name }] : [],
    ),
  ];
}

function portProblems(stack: Stack): Problem[] {
  const users = new Map<number, string>();
  return portsOf(stack).flatMap(({ key, port, user }) => {
    const other = users.get(port);
    users.set(port, user);
    return other === undefined ? [] : [{ path: key.split("."), message: `${port} is the port of ${other} already` }];
  });
}
