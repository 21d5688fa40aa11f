import {
  type Delivery,
  type Failure,
  type FilterDeclaration,
  type FilterTarget,
  type ModuleDelivery,
  moduleDeliveries,
} from "../filter/declared.ts";

/** What a mesh can do. */
export interface Capabilities {
  /** It runs in a cluster. */
  cluster: boolean;
  /** By delivery, which targets it reaches. */
  deliveries: Partial<Record<Delivery, TargetKind[]>>;
  failures: Failure[];
  /** What its proxies know besides the backends, by names of its own, for filters' calls: exact names or `/regex/`. */
  clusters?: string[];
  /** Names that its own parts have logs by. */
  logs: string[];
  /** Targets whose filters get a request with the path that the workload gets. */
  afterRewrite?: TargetKind[];
  /** Of a certificate it compares names, and no addresses. */
  certificatesByName?: boolean;
  /** It hands a filter's configuration on as JSON: any other text would reach the module in quotes. */
  jsonOnly?: boolean;
}

export type TargetKind = "route" | "workload" | "gateway" | "selector";

/** What a filter is for. */
export function kindOf(target: FilterTarget): TargetKind {
  if ("route" in target) return "route";
  if ("workload" in target) return "workload";
  return "gateway" in target ? "gateway" : "selector";
}

/** How a filter's code comes to the proxy: as declared, else the mesh's own way. */
export function deliveryOf(
  filter: Pick<FilterDeclaration, "delivery" | "script">,
  { deliveries }: Pick<Capabilities, "deliveries">,
): Delivery {
  if (filter.delivery !== undefined) return filter.delivery;
  return (filter.script === undefined && moduleDeliveries.find((how) => how in deliveries)) || "lua";
}

/** The same of a filter that has a module. */
export function moduleDelivery(
  filter: Pick<FilterDeclaration, "delivery">,
  capabilities: Pick<Capabilities, "deliveries">,
): ModuleDelivery {
  const how = deliveryOf(filter, capabilities);
  if (how === "lua") throw new Error("lua delivers a script: the configuration has refused it for a module");
  return how;
}

/** What a filter can call: exact names of clusters, or `/regex/`. */
export function callable({ clusters = [] }: Capabilities, backends: { name: string }[]): string[] {
  return [...backends.map(({ name }) => name), ...clusters];
}
