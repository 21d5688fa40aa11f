/** What the proxy itself says it runs. */
import { servedDigest } from "../../kube/proxy.ts";
import type { FilterReadyInputs } from "../../provider/types.ts";
import type { Deployment } from "../stack/stack.ts";
import { envoyOf, filterConfigurations, runsDigest } from "./envoy-dump.ts";
import type { FilterOutput } from "./proof.ts";

export interface ServedModule {
  filter: string;
  /** Of the module that was built: sha256, hex. */
  digest: string;
  /** Whether every proxy runs that very module. */
  running: boolean;
}

/**
 * Asks a standalone Envoy, or the proxies in the cluster, for each filter.
 * @returns undefined for a stack that has neither
 */
export async function servedModules(
  deployment: Deployment | undefined,
  outputs: Record<string, unknown>,
  filters: FilterOutput[],
): Promise<ServedModule[] | undefined> {
  const admin = envoyOf(deployment);
  if (admin) {
    const running = await filterConfigurations(admin);
    return filters.map(({ name, digest }) => ({
      filter: name,
      digest,
      running: runsDigest(running.get(name), digest),
    }));
  }
  const { kubeconfig } = outputs;
  if (typeof kubeconfig !== "string") return undefined;
  const ready = filterReadyInputs(deployment);
  if (ready.length > 0) return Promise.all(ready.map((inputs) => servedByIstio(inputs, filters)));
  return Promise.all(
    filters.map(async ({ name, digest }) => {
      const served = await servedDigest(kubeconfig, { name, digest });
      return { filter: name, digest, running: served === digest };
    }),
  );
}

/** What the state of a stack with Istio knows of each filter: what its proxies are asked for. */
export function filterReadyInputs(deployment: Deployment | undefined): FilterReadyInputs[] {
  const ready = deployment?.resources?.filter(({ type }) => type === "meshup:kubernetes:FilterReady") ?? [];
  return ready.map(({ inputs }) => inputs as unknown as FilterReadyInputs);
}

async function servedByIstio(inputs: FilterReadyInputs, filters: FilterOutput[]): Promise<ServedModule> {
  const { isInForce } = await import("../../provider/filter-ready.ts");
  const digest = filters.find(({ name }) => name === inputs.filter)?.digest ?? inputs.digest;
  return { filter: inputs.filter, digest, running: await isInForce(inputs) };
}
