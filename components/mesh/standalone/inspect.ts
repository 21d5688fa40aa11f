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
    return all.map(({ name, lastUpdated, typedConfig }) => ({
      name,
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

/** @returns by filter name @throws UserError when Envoy does not answer */
async function filterConfigurations(proxies: RunningMesh["proxies"]): Promise<Map<string, FilterConfiguration>> {
  const result = output.safeParse(proxies);
  if (!result.success)
    throw new UserError("The stack's output `proxies` does not say where Envoy is: npm start writes it anew.");
  const { admin } = result.data;
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

/** Whether the configuration loads the module with this sha256: modules are files named by it. */
export function runsDigest(configuration: FilterConfiguration | undefined, digest: string): boolean {
  const config = configuration?.typedConfig as
    | { config?: { vm_config?: { code?: { local?: { filename?: string } } } } }
    | undefined;
  return config?.config?.vm_config?.code?.local?.filename?.endsWith(`/${digest}.wasm`) ?? false;
}
