import type { FilterTarget, Route } from "../config/config.ts";
import { labels } from "../workloads/kubernetes/pod.ts";

/** Whether a filter with this target works on this route. */
export function targets(target: FilterTarget, route: Pick<Route, "name" | "workload">): boolean {
  if ("route" in target) return target.route === route.name;
  if ("workload" in target) return target.workload === route.workload;
  if ("selector" in target) return matches(target.selector, labels(route.workload));
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
export function requestFor(target: FilterTarget, gatewayUrl: string, routes: Route[]): Request | undefined {
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
export function routeUrls(gatewayUrl: string, routes: Route[]): Record<string, string> {
  return Object.fromEntries(routes.map(({ name, path }) => [name, gatewayUrl + path]));
}
