import { isIP } from "node:net";
import { type Backend, type BackendRoute, pathOf } from "../workloads/backend.ts";
import { type NamedManifest, namespace } from "./manifest.ts";

export const httpRouteKind = { apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" };

export interface HttpRouteArgs {
  /** The Gateway that it belongs to; without a namespace, the route's own. */
  gateway: { name: string; namespace?: string };
  /** How the mesh refers to a backend that is a URL. */
  urlRef: (backend: Backend) => object;
}

/**
 * An HTTPRoute of the Gateway API (https://gateway-api.sigs.k8s.io/reference/spec/). The path's prefix is rewritten to `/`:
 * `/one/get` is `/get` for the workload.
 */
export function httpRoute(route: BackendRoute, { gateway, urlRef }: HttpRouteArgs): NamedManifest {
  const urlRewrite = rewriteOf(route);
  return {
    ...httpRouteKind,
    metadata: { name: route.name, namespace },
    spec: {
      parentRefs: [gateway],
      ...(route.host !== undefined && { hostnames: [route.host] }),
      rules: [
        {
          matches: [{ path: { type: "PathPrefix", value: route.path } }],
          ...(urlRewrite && { filters: [{ type: "URLRewrite", urlRewrite }] }),
          backendRefs: [backendRef(route.backend, urlRef)],
          timeouts: { request: "0s" }, // a response may be a stream without an end
        },
      ],
    },
  };
}

function rewriteOf({ rewrite, backend }: BackendRoute): object | undefined {
  const hostname = hostnameOf(backend);
  if (!rewrite && hostname === undefined) return undefined;
  const path = { type: "ReplacePrefixMatch", replacePrefixMatch: pathOf(backend) || "/" };
  return { ...(hostname !== undefined && { hostname }), ...(rewrite && { path }) };
}

/** What a URL wants as its Host; the Gateway API takes names only, without a port. */
export function hostnameOf({ at }: Backend): string | undefined {
  const name = at.type === "url" ? at.authority?.replace(/:\d+$/, "") : undefined;
  return name === undefined || isIP(name.replace(/^\[|\]$/g, "")) !== 0 ? undefined : name;
}

function backendRef(backend: Backend, urlRef: HttpRouteArgs["urlRef"]) {
  const { at } = backend;
  if (at.type === "url") return urlRef(backend);
  const elsewhere = at.namespace !== namespace && { namespace: at.namespace };
  return { name: at.service, ...elsewhere, port: at.port };
}

/**
 * Lets the stack's HTTPRoutes lead to a Service of another namespace: it is a part of that, and named by what is made of it.
 * https://gateway-api.sigs.k8s.io/reference/spec/#referencegrant
 */
export function referenceGrant({ name, at }: Backend) {
  if (at.type !== "service") throw new Error(`${name} is no Service`);
  return {
    apiVersion: "gateway.networking.k8s.io/v1beta1",
    kind: "ReferenceGrant",
    metadata: { namespace: at.namespace },
    spec: {
      from: [{ group: "gateway.networking.k8s.io", kind: httpRouteKind.kind, namespace }],
      to: [{ group: "", kind: "Service", name: at.service }],
    },
  };
}

/** The backends that routes lead to and that are Services of another namespace, each once. */
export function needGrants(routes: BackendRoute[]): Backend[] {
  const found = routes
    .map(({ backend }) => backend)
    .filter(({ at }) => at.type === "service" && at.namespace !== namespace);
  return [...new Map(found.map((backend) => [backend.name, backend])).values()];
}
