import { inexactNumbers } from "../../lib/numbers.ts";
import { tooManyDigits } from "../../lib/stack-file.ts";
import type { FilterDeclaration, StackConfig } from "./config.ts";

/** Each has a folder in `components/mesh`. */
export const meshNames = ["standalone", "envoy-gateway", "istio"] as const;
export type MeshName = (typeof meshNames)[number];

/** How a filter's code comes to the proxy. */
export const deliveries = ["file", "image", "http", "configmap", "volume", "lua"] as const;
export type Delivery = (typeof deliveries)[number];

type TargetKind = "route" | "workload" | "gateway" | "selector";
type Failure = FilterDeclaration["failure"];

interface Abilities {
  /** It runs in a cluster. */
  cluster: boolean;
  /** By delivery, which targets it reaches; the first delivery is the mesh's default. */
  deliveries: Partial<Record<Delivery, TargetKind[]>>;
  failures: Failure[];
  /** A filter's own place among the proxy's filters can be chosen: `istio` in its declaration. */
  phases: boolean;
  /** What its proxies know besides the backends, by names of its own, for filters' calls: exact names or `/regex/`. */
  clusters?: string[];
  /** It hands a filter's configuration on as JSON: any other text would reach the module in quotes. */
  jsonOnly?: boolean;
}

const onGateway: TargetKind[] = ["route", "workload", "gateway"];
const everywhere: TargetKind[] = ["route", "workload", "gateway", "selector"];

/** What each mesh can do. */
export const meshes: Record<MeshName, Abilities> = {
  standalone: {
    cluster: false,
    deliveries: { file: onGateway },
    failures: ["open", "close", "reload"],
    phases: false,
  },
  "envoy-gateway": {
    cluster: true,
    deliveries: { image: onGateway, http: onGateway, lua: onGateway },
    failures: ["open", "close"],
    phases: false,
    clusters: ["/^(http|grpc|tcp|tls|udp)route\\//"],
    jsonOnly: true,
  },
  istio: {
    cluster: true,
    deliveries: {
      image: everywhere,
      http: everywhere,
      configmap: onGateway, // a volume is the pod's, and other people's pods are not ours to change
      volume: ["workload"], // Istio reads its annotations on sidecars only
      lua: everywhere,
    },
    failures: ["open", "close", "reload"],
    phases: true,
    clusters: ["/^(in|out)bound(_\\.\\d+_\\._)?\\|/", "PassthroughCluster"],
  },
};

/** How a filter's code comes to the proxy: as declared, else the mesh's own way. */
export function delivery(filter: { delivery?: Delivery; script?: string }, mesh: MeshName): Delivery {
  if (filter.delivery !== undefined) return filter.delivery;
  return filter.script === undefined ? (Object.keys(meshes[mesh].deliveries)[0] as Delivery) : "lua";
}

/** What a filter can call: exact names of clusters, or `/regex/`. */
export function callable(mesh: MeshName, backends: { name: string }[]): string[] {
  return [...backends.map(({ name }) => name), ...(meshes[mesh].clusters ?? [])];
}

/** What of a declared filter the mesh cannot do: the key, and what it can do. */
export function inabilities(
  filter: FilterDeclaration,
  { mesh, istio }: Pick<StackConfig, "mesh" | "istio">,
): { key: string; message: string }[] {
  const problems: { key: string; message: string }[] = [];
  const problem = (key: string, message: string) => problems.push({ key, message });
  const { deliveries, failures, phases, jsonOnly } = meshes[mesh];
  const can = Object.keys(deliveries);
  const chosen = delivery(filter, mesh);
  const targets = deliveries[chosen];
  const [target] = Object.keys(filter.target) as [TargetKind];

  if (!targets) problem("delivery", `${mesh} cannot deliver by ${chosen}; it can by ${can.join(", ")}`);
  else if (filter.script !== undefined && chosen !== "lua") problem("delivery", "a script is delivered by lua");
  else if (filter.script === undefined && chosen === "lua") problem("delivery", "lua delivers a script, not a module");
  else if (!targets.includes(target)) {
    const others = can.filter((how) => how !== "lua" && deliveries[how as Delivery]?.includes(target));
    const instead = others.length > 0 ? `; ${target}s are reached by ${others.join(", ")}` : "";
    problem("target", `${mesh} cannot deliver by ${chosen} to a ${target}, only to a ${targets.join(", ")}${instead}`);
  } else if (mesh === "istio" && istio.gateway === "gateway-api" && chosen === "configmap" && target !== "workload")
    problem("delivery", "configmap reaches a gateway of Istio's chart only, not one of the Gateway API: image, http");
  if (!failures.includes(filter.failure))
    problem("failure", `${mesh} cannot ${filter.failure}; it can ${failures.join(", ")}`);
  else if (filter.script !== undefined && filter.failure !== "open")
    problem("failure", "Envoy lets every request pass that a script fails on: open, or leave it out");
  if (jsonOnly && typeof filter.config === "string" && !isJson(filter.config))
    problem("config", `${mesh} hands a filter's configuration on as JSON only: write an object, or text that is JSON`);
  if (mesh === "istio" && ["image", "http"].includes(chosen) && !isObject(filter.config))
    problem("config", "a WasmPlugin's is an object; delivery configmap or volume takes any text");
  // It becomes a part of an object of the cluster, whose numbers are JavaScript's on the way there.
  if ((jsonOnly || (mesh === "istio" && ["image", "http"].includes(chosen))) && typeof filter.config === "string")
    for (const { text } of isJson(filter.config) ? inexactNumbers(filter.config) : [])
      problem("config", `${text} ${tooManyDigits(text)}`);
  if (filter.istio && !phases) problem("istio", `means nothing to ${mesh}`);
  else if (filter.istio && !["image", "http"].includes(chosen))
    problem("istio", `goes with delivery image or http (a WasmPlugin), not with ${chosen}`);
  return problems;
}

/** None counts as one. */
function isObject(config: FilterDeclaration["config"]): boolean {
  if (typeof config !== "string") return true;
  const value = isJson(config) ? JSON.parse(config) : undefined;
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
