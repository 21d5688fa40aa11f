import type { FilterTarget } from "../../config.ts";
import { gatewayNamespace, gatewaySelector, namespace } from "./names.ts";

/** The proxies that a filter is for, and whether it works on all that they do. */
export interface Placement {
  namespace: string;
  /** Labels of the proxies' pods. */
  selector: Record<string, string>;
  /** A gateway's proxies answer clients; a sidecar's filters work on what its workload is asked. */
  proxies: "gateway" | "sidecars";
  /** The only routes that it works on; none: all. */
  routes?: string[];
}

/** A route is the gateway's: its filter works there, on that route alone. */
export function placementOf(target: FilterTarget): Placement {
  const gateway = { namespace: gatewayNamespace, selector: gatewaySelector, proxies: "gateway" } as const;
  if ("route" in target) return { ...gateway, routes: [target.route] };
  if ("gateway" in target) return gateway;
  const selector = "workload" in target ? { app: target.workload } : target.selector;
  return { namespace, selector, proxies: "sidecars" };
}
