import type { ProofRequest } from "../../proof/request.ts";
import type { FilterTarget } from "../filter/declared.ts";
import type { Backend, BackendRoute } from "../workloads/backend.ts";

/** Whether a filter with this target works on this route. */
export function targets(target: FilterTarget, { name, backend }: Pick<BackendRoute, "name" | "backend">): boolean {
  if ("route" in target) return target.route === name;
  if ("workload" in target) return target.workload === backend.name;
  if ("selector" in target) return matches(target.selector, backend.pods?.labels ?? {});
  return target.gateway;
}

/** As Kubernetes selects: every label of the selector, with its value. */
export function matches(selector: Record<string, string>, labels: Record<string, string>): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

export interface Request extends Omit<ProofRequest, "path"> {
  url: string;
  /** The same request as it comes to the workload. */
  straight: { backend: Backend; path: string; host: string };
}

/** What shows a filter: its request on the first route that it works on; none where no route leads to it. */
export function requestFor(
  target: FilterTarget,
  gatewayUrl: string,
  routes: BackendRoute[],
  { path, ...request }: ProofRequest,
): Request | undefined {
  const route = routes.find((route) => targets(target, route));
  if (!route) return undefined;
  const { backend } = route;
  const full = (route.path === "/" ? "" : route.path) + path;
  const headers = { ...(route.host !== undefined && { host: route.host }), ...request.headers };
  const authority = backend.at.type === "url" ? backend.at.authority : undefined;
  const host = authority ?? headers.host ?? "localhost";
  const straight = { backend, path: route.rewrite ? rewritten(route, path) : full || "/", host };
  return { ...request, url: gatewayUrl + (full || "/"), headers, straight };
}

/** As every mesh rewrites it: the route's path makes way for what the workload's own begins with. */
function rewritten({ backend: { at } }: BackendRoute, path: string): string {
  const base = at.type === "url" ? at.path : "";
  return base === "" && !path.startsWith("/") ? `/${path}` : base + path;
}

/**
 * Milliseconds that a filter in a cluster has to prove itself: an autoscaler has no figures for a filter to show before
 * its second look at a new workload's metrics, which it may take every quarter of a minute only.
 */
export const proofTimeoutMs = 90_000;

/** Each route's address, by name. */
export function routeUrls(gatewayUrl: string, routes: Pick<BackendRoute, "name" | "path">[]): Record<string, string> {
  return Object.fromEntries(routes.map(({ name, path }) => [name, gatewayUrl + path]));
}
