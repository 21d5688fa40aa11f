import { z } from "zod";
import { EnvoyAdmin } from "../../../envoy/admin.ts";
import { messageOf, UserError } from "../../../lib/errors.ts";
import { Broken } from "../../../lib/steps.ts";
import { requestStep } from "../../../proof/step.ts";
import type { Inspector, RunningMesh } from "../inspector.ts";

export const inspector: Inspector = {
  async running({ proxies, filters }) {
    const inForce = await filterConfigurations(proxies);
    return filters.map(({ name, digest }) => ({
      filter: name,
      digest,
      running: runsDigest(inForce.get(name), digest),
    }));
  },

  async diagnose({ proxies, filters }, check) {
    for (const filter of filters) {
      const { name, digest } = filter;
      await check(`module of ${name}`, [], async () => {
        const inForce = await filterConfigurations(proxies);
        if (!runsDigest(inForce.get(name), digest))
          throw new Broken("Envoy has another module", "`npm start -- STACK` hands Envoy its configuration again");
        return `sha256:${digest}`;
      });
      await check(`request for ${name}`, [], () => requestStep(filter, async () => []));
    }
  },

  async dump({ proxies }) {
    const all = [...(await filterConfigurations(proxies)).values()];
    const workloads = await workloadsByFilter(adminOf(proxies));
    return all.map(({ name, lastUpdated, typedConfig }) => ({
      name,
      workloads: workloads.get(name) ?? [],
      note: `since ${lastUpdated ?? "it started"}`,
      typedConfig,
    }));
  },
};

/** The stack's output `proxies`, as this mesh gives it: Envoy's admin interface. */
const output = z.object({ admin: z.url() });

/** A filter's part of `/config_dump?resource=ecds_filters`. */
export interface FilterConfiguration {
  name: string;
  /** When Envoy took it; ISO 8601. */
  lastUpdated?: string;
  /** The filter's `typed_config`, as Envoy holds it. */
  typedConfig: unknown;
}

function adminOf(proxies: RunningMesh["proxies"]): string {
  const result = output.safeParse(proxies);
  if (result.success) return result.data.admin;
  throw new UserError("The stack's output `proxies` does not say where Envoy is: npm start writes it anew.");
}

/** @returns by filter name @throws UserError when Envoy does not answer */
async function filterConfigurations(proxies: RunningMesh["proxies"]): Promise<Map<string, FilterConfiguration>> {
  const admin = adminOf(proxies);
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
async function workloadsByFilter(admin: string): Promise<Map<string, string[]>> {
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
