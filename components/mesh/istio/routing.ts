import { type BackendRoute, endpointOf } from "../../workloads/backend.ts";
import { type Manifest, namespace } from "../manifest.ts";
import { gatewaySelector } from "./names.ts";

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
function httpRoute({ name, path, rewrite, backend }: BackendRoute) {
  const { host, port } = endpointOf(backend.at);
  return {
    name,
    match: path === "/" ? [{ uri: { prefix: "/" } }] : [{ uri: { exact: path } }, { uri: { prefix: `${path}/` } }],
    ...(rewrite && { rewrite: { uri: "/" } }),
    route: [{ destination: { host, port: { number: port } } }],
  };
}
