import type { FilterTarget } from "../../filter/declared.ts";
import type { Backend, BackendRoute } from "../../workloads/backend.ts";
import { namespace } from "../manifest.ts";
import { proxyContainer } from "./inspect/proxies.ts";
import { apiGatewayName, apiRouteName, gatewayNamespace, gatewaySelector } from "./names.ts";
import type { GatewayKind } from "./schema.ts";

/** The proxies that a filter is for, and whether it works on all that they do. */
export interface Placement {
  namespace: string;
  /** Labels of the proxies' pods. */
  selector: Record<string, string>;
  /** The Gateway API's name of the proxies; a WasmPlugin reaches such a gateway by no selector. */
  targetRefs?: { group: string; kind: string; name: string }[];
  /** A gateway's proxies answer clients; a sidecar's filters work on what its workload is asked. */
  proxies: "gateway" | "sidecars";
  /** Envoy's names of the only routes that it works on; none: all. */
  routes?: string[];
}

const gateways: Record<GatewayKind, { placement: Placement; routeName: (route: string) => string }> = {
  helm: {
    placement: { namespace: gatewayNamespace, selector: gatewaySelector, proxies: "gateway" },
    routeName: (route) => route,
  },
  "gateway-api": {
    placement: {
      namespace: gatewayNamespace,
      selector: { "gateway.networking.k8s.io/gateway-name": apiGatewayName },
      targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: apiGatewayName }],
      proxies: "gateway",
    },
    routeName: apiRouteName,
  },
};

/**
 * A route is the gateway's: its filter works there, on that route alone. A workload's works in its sidecars; where it has
 * none, in the gateway, on all routes that lead to it.
 * @param backends among them the target's
 */
export function placementOf(
  target: FilterTarget,
  kind: GatewayKind,
  { backends, routes }: { backends: Backend[]; routes: BackendRoute[] },
): Placement {
  const { placement, routeName } = gateways[kind];
  if ("route" in target) return { ...placement, routes: [routeName(target.route)] };
  if ("gateway" in target) return placement;
  if ("selector" in target) return { namespace, selector: target.selector, proxies: "sidecars" };
  const { pods } = backends.find(({ name }) => name === target.workload) ?? {};
  if (!pods || (pods.containers && !pods.containers.includes(proxyContainer))) {
    const own = routes.filter(({ backend }) => backend.name === target.workload);
    return { ...placement, routes: own.map(({ name }) => routeName(name)) };
  }
  return { namespace: pods.namespace, selector: pods.selector, proxies: "sidecars" };
}
