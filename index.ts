import * as pulumi from "@pulumi/pulumi";
import { clusterKind } from "./components/cluster/index.ts";
import { type Repair, upgradeReleases } from "./components/cluster/repair.ts";
import { keepSecrets, markSecrets, rememberSecrets } from "./components/config/secrets.ts";
import { readStack } from "./components/config/stack.ts";
import { createFilters } from "./components/filter/filter.ts";
import { meshKind } from "./components/mesh/index.ts";
import { registryCredentials } from "./components/registry/credentials.ts";
import { createRegistry } from "./components/registry/index.ts";
import { describeBackends, withBackends } from "./components/workloads/backend.ts";
import { findBackends } from "./components/workloads/backends.ts";
import { createWorkloads } from "./components/workloads/index.ts";

/**
 * The program: configuration in, filters checked, a mesh that serves with them attached, outputs out.
 * @param repair what `npm start` has found broken in the cluster
 */
export default async function main(repair?: Repair): Promise<Record<string, pulumi.Input<unknown>>> {
  const stack = pulumi.getStack();
  const { config, secrets } = readStack(stack);
  keepSecrets(secrets);
  const known = secrets.length > 0 ? rememberSecrets(secrets) : undefined; // before anything that has one in it

  upgradeReleases(repair);
  const kind = meshKind(config.mesh);
  const backends = await findBackends(config, stack);
  const routes = withBackends(config.routes, backends);
  const { capabilities } = kind;
  const credentialsFor = registryCredentials(config);
  const filters = await createFilters(config.filters, { capabilities, backends, routes, credentialsFor });
  const cluster = await clusterKind(config.cluster).create(config, stack);
  const { registry, images } = await createRegistry(config, cluster);
  const mesh = await kind.create({ config, filters, cluster, registry, backends, routes });
  const workloads = createWorkloads({ config, cluster, registry, sidecars: mesh.sidecars });
  const served = mesh.serve(workloads.resources);

  const outputs = {
    mesh: config.mesh,
    gatewayUrl: served.gatewayUrl,
    routes: served.routes,
    workloads: describeBackends(backends),
    filters: served.filters,
    proxies: served.proxies,
    logs: pulumi.all([workloads.logs, served.logs]).apply(([ours, its]) => ({ ...ours, ...its })),
    ...(cluster && { kubeconfig: cluster.kubeconfig, registry: cluster.registry.address, images: pulumi.all(images) }),
  };
  return known ? { ...markSecrets(outputs, secrets), secrets: known } : outputs;
}
