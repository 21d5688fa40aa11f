import { type BackendRoute, endpointOf, pathOf } from "../../workloads/backend.ts";
import { type Manifest, namespace } from "../manifest.ts";
import { gatewaySelector } from "./names.ts";
import { urlHost } from "./url.ts";

const gatewayName = "gateway";

/** https://istio.io/latest/docs/reference/config/networking/gateway/ */
export function gateway(): Manifest {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "Gateway",
    metadata: { name: gatewayName, namespace },
    spec: {
      selector: gatewaySelector,
      servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
    },
  };
}

/** One for each host: as on the other meshes, a host of its own sees its own routes only. */
export function virtualServices(routes: BackendRoute[]): Manifest[] {
  const hosts = [...new Set(routes.map((route) => route.host ?? "*"))];
  return hosts.map((host) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: host === "*" ? "routes" : host, namespace },
    spec: {
      hosts: [host],
      gateways: [gatewayName],
      http: byLongestPath(routes.filter((route) => (route.host ?? "*") === host)).map(httpRoute),
    },
  }));
}

/** Istio takes the first route that matches, so "/one/deep" goes before "/one". */
function byLongestPath(routes: BackendRoute[]): BackendRoute[] {
  return [...routes].sort((a, b) => b.path.length - a.path.length);
}

/** The path itself and what is below it: a prefix alone would be `/oneness`, too. */
function httpRoute(route: BackendRoute) {
  const { name, path, backend } = route;
  const host = backend.at.type === "url" ? urlHost(backend.name) : endpointOf(backend.at).host;
  const { port } = backend.at;
  const rewrite = rewriteOf(route);
  return {
    name,
    match: path === "/" ? [{ uri: { prefix: "/" } }] : [{ uri: { exact: path } }, { uri: { prefix: `${path}/` } }],
    ...(rewrite && { rewrite }),
    route: [{ destination: { host, port: { number: port } } }],
  };
}

/** A path that goes below a URL's own is rewritten by a pattern: a prefix alone would make `/v1//get` of `/one/get`. */
function rewriteOf({ path, rewrite, backend }: BackendRoute): object | undefined {
  const authority = backend.at.type === "url" ? backend.at.authority : undefined;
  if (!rewrite && authority === undefined) return undefined;
  const base = pathOf(backend);
  const pattern = { match: `^${path === "/" ? "" : path.replace(/[.~]/g, "\\$&")}(/|$)`, rewrite: `${base}\\1` };
  const uri = base === "" ? { uri: "/" } : { uriRegexRewrite: pattern };
  return { ...(rewrite && uri), ...(authority !== undefined && { authority }) };
}
