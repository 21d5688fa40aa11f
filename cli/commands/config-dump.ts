import { stringify } from "yaml";
import { isReady } from "../../kube/pods.ts";
import { UserError } from "../../lib/errors.ts";
import { redactIn } from "../../lib/redact.ts";
import { stackAndName } from "../arguments/positionals.ts";
import { openCluster, type StackCluster } from "../inspect/cluster.ts";
import { envoyOf, filterConfigurations, workloadsByFilter } from "../inspect/envoy-dump.ts";
import { type FilterOutput, filterOutputs } from "../inspect/proof.ts";
import type { Run } from "../run.ts";
import { openOutputs } from "../stack/outputs.ts";
import { readDeployment } from "../stack/stack.ts";

/** A filter, as a proxy has it. */
interface Dumped {
  name: string;
  /** The workload whose proxy it is, and its pod; none for this machine's Envoy. */
  proxy?: { workload: string; pod: string };
  /** The workloads of the routes that it works on; none where each has a proxy of its own. */
  workloads?: string[];
  /** When Envoy took it, where that is known; or the name that Envoy's chain has for it. */
  note: string;
  /** The filter's `typed_config`, as Envoy holds it. */
  typedConfig: unknown;
}

/** `npm run config-dump [-- STACK] [FILTER or WORKLOAD]`: what the proxies themselves hold of the filters. */
export const run: Run = async ({ positionals }, terminal) => {
  const { stack: name, rest } = stackAndName(positionals, "FILTER");
  const deployment = await readDeployment(name, terminal);
  const { shown } = await openOutputs(name, deployment, terminal);
  const cluster = await openCluster(deployment);
  const admin = envoyOf(deployment);
  if (!cluster && !admin) throw new UserError(`Stack ${name} has no proxy that could be asked; is it up?`);
  const all = cluster ? await ofCluster(cluster, filterOutputs(shown)) : await ofThisMachine(admin as string);
  const chosen = all.filter(
    ({ name, proxy, workloads = [] }) => rest === undefined || [name, proxy?.workload, ...workloads].includes(rest),
  );
  if (rest !== undefined && chosen.length === 0)
    throw new UserError(
      `No proxy has a filter "${rest}"; there are ${unique(all.map((f) => f.name)) || "none"}${proxiesOf(all)}.`,
    );
  for (const { name, proxy, note, typedConfig } of chosen) {
    terminal.print(terminal.paint.dim(`# ${name}, ${note}${proxy ? `, in ${proxy.workload} (${proxy.pod})` : ""}`));
    terminal.print(stringify(redactIn(typedConfig)).trimEnd());
  }
  terminal.document(chosen);
  return 0;
};

async function ofThisMachine(admin: string): Promise<Dumped[]> {
  const configurations = [...(await filterConfigurations(admin)).values()];
  const workloads = await workloadsByFilter(admin);
  return configurations.map(({ name, lastUpdated, typedConfig }) => ({
    name,
    workloads: workloads.get(name) ?? [],
    note: `since ${lastUpdated ?? "it started"}`,
    typedConfig,
  }));
}

async function ofCluster({ api, mesh }: StackCluster, filters: FilterOutput[]): Promise<Dumped[]> {
  const { proxyFilters } = await import("../../kube/filter-dump.ts");
  const proxies = (await mesh.proxies(api)).filter(({ pod }) => isReady(pod));
  if (proxies.length === 0) throw new UserError("No proxy of the mesh is ready: npm run doctor says why.");
  const dumps = await Promise.all(
    proxies.map(async (proxy) => {
      const { workload, pod } = proxy;
      return (await proxyFilters(api, proxy)).map(({ name, httpFilter, digest: own, typedConfig }) => ({
        // A script has no name in the proxy: it is known by its text.
        name: name ?? filters.find(({ digest }) => digest === own)?.name ?? httpFilter,
        proxy: { workload, pod: pod.metadata.name },
        note: httpFilter,
        typedConfig,
      }));
    }),
  );
  return dumps.flat();
}

function proxiesOf(all: Dumped[]): string {
  const workloads = unique(all.flatMap(({ proxy }) => (proxy ? [proxy.workload] : [])));
  return workloads === "" ? "" : `, in the proxies of ${workloads}`;
}

const unique = (names: string[]) => [...new Set(names)].join(", ");
