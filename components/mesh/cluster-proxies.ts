/** The proxies of a mesh in a cluster, as every such mesh is asked for its filters. */
import type { KubeApi } from "../../kube/api.ts";
import { proxyFilters } from "../../kube/filter-dump.ts";
import { isReady, type Pod } from "../../kube/pods.ts";
import { UserError } from "../../lib/errors.ts";
import type { FilterOutput } from "./filter-output.ts";
import type { DumpedFilter, RunningMesh } from "./inspector.ts";

/** One Envoy of the mesh. */
export interface MeshProxy {
  /** The workload whose requests it handles, or `gateway`. */
  workload: string;
  pod: Pod;
  /** Its container in the pod. */
  container: string;
  /** Of Envoy's admin interface, on the pod's loopback. */
  adminPort: number;
}

/** The cluster that a mesh runs in. */
export function apiOf({ api }: RunningMesh): KubeApi {
  if (!api) throw new UserError("The stack's output `kubeconfig` is missing: npm start brings it up again.");
  return api;
}

/** What the proxies that are ready hold of the filters. @throws UserError when none is */
export async function dumpProxies(api: KubeApi, all: MeshProxy[], filters: FilterOutput[]): Promise<DumpedFilter[]> {
  const proxies = all.filter(({ pod }) => isReady(pod));
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
