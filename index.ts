import * as pulumi from "@pulumi/pulumi";
import { createCluster } from "./components/cluster/index.ts";
import { callable } from "./components/config/abilities.ts";
import { readConfig } from "./components/config/config.ts";
import { isSecret } from "./components/config/secret.ts";
import { createFilters } from "./components/filter/filter.ts";
import { createMesh } from "./components/mesh/index.ts";
import { createRegistry } from "./components/registry/index.ts";
import { withBackends } from "./components/workloads/backend.ts";
import { findBackends } from "./components/workloads/backends.ts";
import { createWorkloads } from "./components/workloads/index.ts";

/** The program: configuration in, filters checked, a mesh that serves with them attached, outputs out. */
export default async function main(): Promise<Record<string, pulumi.Input<unknown>>> {
  const stack = pulumi.getStack();
  const config = readConfig(pulumi.runtime.allConfig(), stack, isSecret);

  const backends = await findBackends(config, stack);
  const routes = withBackends(config.routes, backends);
  const filters = await createFilters(config.filters, callable(config.mesh, backends));
  const cluster = await createCluster(config, stack);
  const registry = await createRegistry(config, cluster);
  const mesh = await createMesh({ config, filters, cluster, registry, backends, routes });
  const workloads = createWorkloads(config, cluster, mesh.sidecars);
  const served = mesh.serve(workloads.resources);

  return {
    mesh: config.mesh,
    gatewayUrl: served.gatewayUrl,
    routes: served.routes,
    filters: served.filters,
    logs: pulumi.all([workloads.logs, served.logs]).apply(([ours, its]) => ({ ...ours, ...its })),
    ...(cluster && { kubeconfig: cluster.kubeconfig, registry: cluster.registry.address }),
  };
}
