import { discoveryResponse, type Json, type Resource } from "../../../envoy/discovery.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import { type Backend, type BackendRoute, pathOf } from "../../workloads/backend.ts";
import { envoyCluster } from "../envoy-cluster.ts";
import { targets } from "../targets.ts";
import { type, wasmType } from "../wasm-filter.ts";

/**
 * Envoy's configuration as plain functions: what a standalone Envoy is given, resource by resource.
 * Field names and types are those of Envoy's v3 API (https://www.envoyproxy.io/docs/envoy/latest/api-v3/api).
 */

/** A file that Envoy watches. The folder is watched, since a rename into it is the only write that is seen whole. */
function watchedFile(directory: string, file: string): Json {
  return {
    resource_api_version: "V3",
    path_config_source: { path: `${directory}/${file}`, watched_directory: { path: directory } },
  };
}

/** Where a filter's own configuration lies, below the configuration's folder. */
export const filterDirectory = (directory: string, filter: string) => `${directory}/filters/${filter}`;

/**
 * What Envoy is started with, by path: the admin interface, and where everything else is to be found. An Envoy starts
 * empty and is handed its configuration then, so that it is judged in the same way as every later one.
 */
export function startFiles(args: { directory: string; adminPort: number }): Record<string, string> {
  const { directory, adminPort } = args;
  const bootstrap = {
    node: { id: "meshup", cluster: "meshup" },
    admin: { address: loopback(adminPort) },
    dynamic_resources: {
      lds_config: watchedFile(directory, "listeners.json"),
      cds_config: watchedFile(directory, "clusters.json"),
    },
  };
  return {
    [`${directory}/bootstrap.json`]: `${JSON.stringify(bootstrap, undefined, 1)}\n`,
    [`${directory}/listeners.json`]: discoveryResponse([]),
    [`${directory}/clusters.json`]: discoveryResponse([]),
  };
}

/**
 * A backend under the name that routes and filters' HTTP calls use.
 * @param authorities file of the certificate authorities that this system trusts
 */
export function cluster(backend: Backend, authorities = ""): Resource {
  return { "@type": type("config.cluster.v3.Cluster"), ...envoyCluster(backend, authorities) };
}

/** A filter as the listener needs to know it. */
export interface ListedFilter {
  name: string;
  target: FilterTarget;
}

/**
 * The gateway: every filter in the chain, switched off, and on for the routes that it targets. Filters are found by name
 * in files of their own, so that a changed module touches neither the listener nor its connections.
 */
export function listener(args: {
  directory: string;
  port: number;
  routes: BackendRoute[];
  filters: ListedFilter[];
}): Resource {
  const { directory, port, routes, filters } = args;
  return {
    "@type": type("config.listener.v3.Listener"),
    name: "gateway",
    address: loopback(port),
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
              stat_prefix: "gateway",
              strip_any_host_port: true,
              server_header_transformation: "PASS_THROUGH", // else no filter could set it
              // A stream may be silent: a development server's to its pages is.
              stream_idle_timeout: "0s",
              upgrade_configs: [{ upgrade_type: "websocket" }],
              route_config: { name: "gateway", virtual_hosts: virtualHosts(routes, filters) },
              http_filters: [
                ...filters.map((f) => ({
                  name: f.name,
                  disabled: true,
                  config_discovery: {
                    config_source: watchedFile(filterDirectory(directory, f.name), "config.json"),
                    type_urls: [wasmType],
                  },
                })),
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": type("extensions.filters.http.router.v3.Router") },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

/** As the Gateway API has it: a host of its own sees its own routes only. */
function virtualHosts(routes: BackendRoute[], filters: ListedFilter[]): Json {
  const hosts = [...new Set(routes.map((r) => r.host ?? "*"))];
  return hosts.map((host) => ({
    name: host,
    domains: [host],
    routes: byLongestPath(routes.filter((r) => (r.host ?? "*") === host)).map((r) => routeEntry(r, filters)),
  }));
}

function routeEntry(route: BackendRoute, filters: ListedFilter[]): Json {
  const on = filters.filter((f) => targets(f.target, route));
  return {
    name: route.name,
    match: route.path === "/" ? { prefix: "/" } : { path_separated_prefix: route.path },
    route: {
      cluster: route.backend.name,
      timeout: "0s", // a response may be a stream without an end
      ...(route.rewrite && { regex_rewrite: rewrite(route.path, pathOf(route.backend)) }),
      ...hostRewrite(route.backend),
    },
    typed_per_filter_config: Object.fromEntries(
      on.map((f) => [f.name, { "@type": type("config.route.v3.FilterConfig"), config: {} }]),
    ),
  };
}

/** A prefix rewrite to "/" would make "//get" of "/one/get". @param base what the path goes below: `/v1`, or empty */
function rewrite(path: string, base: string): Json {
  const escaped = path === "/" ? "" : path.replace(/[.~]/g, "\\$&");
  if (base === "") return { pattern: { regex: `^${escaped}/?` }, substitution: "/" };
  return { pattern: { regex: `^${escaped}(/|$)` }, substitution: `${base.replaceAll("\\", "\\\\")}\\1` };
}

function hostRewrite({ at }: Backend): { host_rewrite_literal?: string } {
  const authority = at.type === "url" ? at.authority : undefined;
  return authority === undefined ? {} : { host_rewrite_literal: authority };
}

/** Envoy takes the first route that matches, so "/one/deep" goes before "/one". */
function byLongestPath(routes: BackendRoute[]): BackendRoute[] {
  return [...routes].sort((a, b) => b.path.length - a.path.length);
}

function loopback(port: number): Json {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
