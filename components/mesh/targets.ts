import type { FilterTarget } from "../filter/declared.ts";
import type { BackendRoute } from "../workloads/backend.ts";

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

export interface Request {
  url: string;
  headers: Record<string, string>;
}

/** What shows a filter: a request on the first route that it works on; none where no route leads to it. */
export function requestFor(target: FilterTarget, gatewayUrl: string, routes: BackendRoute[]): Request | undefined {
  const route = routes.find((route) => targets(target, route));
  if (!route) return undefined;
  return { url: gatewayUrl + route.path, headers: route.host === undefined ? {} : { host: route.host } };
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
