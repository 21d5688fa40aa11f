/** What a standalone Envoy says of its own configuration. */

import { EnvoyAdmin } from "../../envoy/admin.ts";
import { messageOf, UserError } from "../../lib/errors.ts";
import type { Deployment } from "../stack/stack.ts";

/** A filter's part of `/config_dump?resource=ecds_filters`. */
export interface FilterConfiguration {
  name: string;
  /** When Envoy took it; ISO 8601. */
  lastUpdated?: string;
  /** The filter's `typed_config`, as Envoy holds it. */
  typedConfig: unknown;
}

/** The admin interface's address, from the stack's state; undefined when the stack has no standalone Envoy. */
export function envoyOf(deployment: Deployment | undefined): string | undefined {
  const admin = deployment?.resources?.find((r) => r.type === "meshup:local:EnvoyConfiguration")?.inputs?.admin;
  return typeof admin === "string" ? admin : undefined;
}

/** @returns by filter name @throws UserError when Envoy does not answer */
export async function filterConfigurations(admin: string): Promise<Map<string, FilterConfiguration>> {
  try {
    return byName(await new EnvoyAdmin(admin).configDump("ecds_filters"));
  } catch (error) {
    throw new UserError(
      `Envoy's admin interface, ${admin}, does not answer as it should: ${messageOf(error)}. npm run status shows whether it runs.`,
    );
  }
}

/** @param configs entries of Envoy's type EcdsConfigDump.EcdsFilterConfig */
export function byName(configs: EcdsEntry[]): Map<string, FilterConfiguration> {
  return new Map(
    configs.flatMap(({ ecds_filter: filter, last_updated: lastUpdated }) =>
      filter?.name
        ? [[filter.name, { name: filter.name, lastUpdated, typedConfig: filter.typed_config }] as const]
        : [],
    ),
  );
}

interface EcdsEntry {
  ecds_filter?: { name?: string; typed_config?: unknown };
  last_updated?: string;
}

/** By filter: the clusters, which have their workloads' names, of the routes that it works on. */
export async function workloadsByFilter(admin: string): Promise<Map<string, string[]>> {
  const dump = (await new EnvoyAdmin(admin).configDump("dynamic_listeners")) as ListenerEntry[];
  const routes = dump.flatMap((listener) =>
    (listener.active_state?.listener?.filter_chains ?? []).flatMap(({ filters = [] }) =>
      filters.flatMap((f) => (f.typed_config?.route_config?.virtual_hosts ?? []).flatMap((host) => host.routes ?? [])),
    ),
  );
  const found = new Map<string, string[]>();
  for (const { route, typed_per_filter_config = {} } of routes)
    for (const filter of Object.keys(typed_per_filter_config))
      if (route?.cluster) found.set(filter, [...(found.get(filter) ?? []), route.cluster]);
  return found;
}

interface ListenerEntry {
  active_state?: { listener?: { filter_chains?: { filters?: { typed_config?: { route_config?: RouteConfig } }[] }[] } };
}
interface RouteConfig {
  virtual_hosts?: { routes?: { route?: { cluster?: string }; typed_per_filter_config?: object }[] }[];
}

/** Whether the configuration loads the module with this sha256: modules are files named by it. */
export function runsDigest(configuration: FilterConfiguration | undefined, digest: string): boolean {
  const config = configuration?.typedConfig as
    | { config?: { vm_config?: { code?: { local?: { filename?: string } } } } }
    | undefined;
  return config?.config?.vm_config?.code?.local?.filename?.endsWith(`/${digest}.wasm`) ?? false;
}
