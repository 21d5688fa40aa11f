import type { Backend } from "../../workloads/backend.ts";
import { envoyCluster, imageAuthorities } from "../envoy-cluster.ts";
import type { Manifest } from "../manifest.ts";
import { type WasmFilterArgs, wasmFilter } from "../wasm-filter.ts";
import { envoyFilterKind, rootNamespace } from "./names.ts";
import type { Placement } from "./placement.ts";

/**
 * EnvoyFilters: what Istio has no word for. https://istio.io/latest/docs/reference/config/networking/envoy-filter/
 * Field names in a patch's value are Envoy's.
 */
interface Patch {
  applyTo: "HTTP_FILTER" | "HTTP_ROUTE" | "CLUSTER";
  match?: Record<string, unknown>;
  patch: { operation: string; value?: unknown };
}

interface Reach {
  /** Labels of the proxies' pods; none: all. */
  selector?: Record<string, string>;
  /** Of several the lower goes first. */
  priority?: number;
}

/** @param name undefined leaves it to Pulumi: another one then stands beside the one before until that goes */
function envoyFilter(
  name: string | undefined,
  namespace: string,
  configPatches: Patch[],
  { selector, priority }: Reach = {},
): Manifest {
  return {
    ...envoyFilterKind,
    metadata: { name, namespace },
    spec: {
      ...(selector && { workloadSelector: { labels: selector } }),
      ...(priority !== undefined && { priority }),
      configPatches,
    },
  };
}

/** A filter can call only clusters that its proxy knows by name. So every proxy gets a cluster for every backend. */
export function callouts(backends: Backend[]): Manifest {
  const patches = backends.map((backend): Patch => {
    return { applyTo: "CLUSTER", patch: { operation: "ADD", value: envoyCluster(backend, imageAuthorities) } };
  });
  return envoyFilter("callouts", rootNamespace, patches);
}

export interface ModuleFilterArgs extends WasmFilterArgs {
  placement: Placement;
  /** Its place among the filters of the same proxies: the lowest number runs first. */
  priority?: number;
}

export interface LuaFilterArgs {
  name: string;
  placement: Placement;
  script: string;
  priority?: number;
}

/**
 * A module that lies in the proxies' own files.
 * @param label of the pods that have that very module: the others go on with theirs until they are replaced
 */
export function moduleFilter(args: ModuleFilterArgs, label: { name: string; value: string }): Manifest {
  const { name, placement, priority } = args;
  const selector = { ...placement.selector, [label.name]: label.value };
  const patches = insert(name, placement, wasmFilter(args).typed_config);
  return envoyFilter(undefined, placement.namespace, patches, { selector, priority });
}

/** A Lua script. Envoy compiles it anew when it changes; no pod is replaced. */
export function luaFilter({ name, placement, script, priority }: LuaFilterArgs): Manifest {
  const typedConfig = {
    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
    default_source_code: { inline_string: script },
  };
  return envoyFilter(name, placement.namespace, insert(name, placement, typedConfig), {
    selector: placement.selector,
    priority,
  });
}

/**
 * Switches a WasmPlugin's filter off, and on for some routes: by itself it works on all that its proxies do. For a filter
 * of all routes it is there too and changes nothing, so that a target may become wider in one step.
 * @param envoyName the Envoy filter's name
 */
export function scopeFilter(args: { name: string; envoyName: string; placement: Placement }): Manifest {
  const { name, envoyName, placement } = args;
  const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.http.${name}`;
  const value = {
    name: envoyName,
    disabled: placement.routes !== undefined,
    config_discovery: {
      config_source: { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" },
      type_urls: [type("wasm.v3.Wasm"), type("rbac.v3.RBAC")], // RBAC stands in for a module that cannot be had
    },
  };
  const replace: Patch = {
    applyTo: "HTTP_FILTER",
    match: httpFilterMatch(placement, envoyName),
    patch: { operation: "REPLACE", value },
  };
  const patches = [replace, ...onRoutes(envoyName, placement)];
  return envoyFilter(scopeName(name), placement.namespace, patches, { selector: placement.selector });
}

/** No filter can be declared with a dot in its name. */
export const scopeName = (filter: string) => `${filter}.routes`;

function insert(name: string, placement: Placement, typedConfig: unknown): Patch[] {
  const value = { name, ...(placement.routes && { disabled: true }), typed_config: typedConfig };
  const patch: Patch = {
    applyTo: "HTTP_FILTER",
    match: httpFilterMatch(placement, "envoy.filters.http.router"),
    patch: { operation: "INSERT_BEFORE", value },
  };
  return [patch, ...onRoutes(name, placement)];
}

function httpFilterMatch({ proxies }: Placement, subFilter: string) {
  const filter = { name: "envoy.filters.network.http_connection_manager", subFilter: { name: subFilter } };
  return { context: contextOf(proxies), listener: { filterChain: { filter } } };
}

/** `on` needs a `config` that changes nothing. Istio refuses an empty one; Envoy ignores this one, as it is optional. */
const on = {
  "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
  is_optional: true,
  config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm" },
};

function onRoutes(filter: string, { routes = [], proxies }: Placement): Patch[] {
  return routes.map((name) => ({
    applyTo: "HTTP_ROUTE",
    match: { context: contextOf(proxies), routeConfiguration: { vhost: { route: { name } } } },
    patch: { operation: "MERGE", value: { typed_per_filter_config: { [filter]: on } } },
  }));
}

const contextOf = (proxies: Placement["proxies"]) => (proxies === "gateway" ? "GATEWAY" : "SIDECAR_INBOUND");
