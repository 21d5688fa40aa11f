import type { Backend, BackendRoute } from "../workloads/backend.ts";
import { type NamedManifest, namespace } from "./manifest.ts";

export const httpRouteKind = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };

/**
 * An HTTPRoute of the Gateway API (https://gateway-api.sigs.k8s.io/reference/spec/). The path's prefix is rewritten to `/`: `/one/get` is `/get` for the workload.
 * @param gateway the Gateway that it belongs to; without a namespace, the route's own
 */
export function httpRoute(route: BackendRoute, gateway: { name: string; namespace?: string }): NamedManifest {
  const rewrite = {
    type: "URLRewrite",
    urlRewrite: { path: { type: "ReplacePrefixMatch", replacePrefixMatch: "/" } },
  };
  return {
    ...httpRouteKind,
    metadata: { name: route.name, namespace },
    spec: {
      parentRefs: [gateway],
      ...(route.host !== undefined && { hostnames: [route.host] }),
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: route.path } }],
          ...(route.rewrite && { filters: [rewrite] }),
          backendRefs: [backendRef(route.backend)],
        },
      ],
    },
  };
}

function backendRef({ name, at }: Backend) {
  if (at.type !== "service") throw new Error(`${name} is no Service`);
  const elsewhere = at.namespace !== namespace && { namespace: at.namespace };
  return { name: at.service, ...elsewhere, port: at.port };
}
