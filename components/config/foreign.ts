import { clusterKeys, clusterKind, clusterNames, localCluster } from "../cluster/index.ts";
import { filterKeys, meshKind, meshNames, stackKeys } from "../mesh/index.ts";

/**
 * What is declared for another mesh, or another kind of cluster, than the stack's.
 * @param config as it is written, so that all of it is told, whatever else is wrong
 */
export function foreignKeys(config: Record<string, unknown>): { path: PropertyKey[]; message: string }[] {
  const { mesh, cluster = localCluster, filters } = config;
  const problems: ReturnType<typeof foreignKeys> = [];
  const look = (at: PropertyKey[], declared: unknown, all: object, own: object, message: string) => {
    const keys = typeof declared === "object" && declared !== null ? Object.keys(declared) : [];
    for (const key of keys) if (key in all && !(key in own)) problems.push({ path: [...at, key], message });
  };
  const meshName = meshNames.find((name) => name === mesh);
  if (meshName !== undefined) {
    const { schema } = meshKind(meshName);
    const message = `means nothing to ${meshName}`;
    look([], config, stackKeys, schema.stack, message);
    for (const [i, filter] of Array.isArray(filters) ? filters.entries() : [])
      look(["filters", i], filter, filterKeys, schema.filter, message);
  }
  const clusterName = clusterNames.find((name) => name === cluster);
  if (clusterName !== undefined)
    look(
      [],
      config,
      clusterKeys,
      clusterKind(clusterName).keys,
      `means nothing where meshup:cluster is ${clusterName}`,
    );
  return problems;
}
