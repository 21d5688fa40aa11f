/** The registry of kinds of cluster: nobody else imports their folders. */
import type { ClusterKind } from "./cluster-kind.ts";
import type { ClusterInspector } from "./inspector.ts";
import { kind } from "./kind/index.ts";
import { local } from "./local/index.ts";

const kinds: ClusterKind[] = [local, kind];

export const clusterNames = kinds.map(({ name }) => name);
/** This machine, without a cluster. */
export const localCluster = local.name;

/** Keys of the stack's configuration that one of them knows. */
export const clusterKeys: object = Object.assign({}, ...kinds.map(({ keys }) => keys));

/** The inspectors of all kinds, whichever the stack uses. */
export async function clusterInspectors(): Promise<ClusterInspector[]> {
  return Promise.all(kinds.flatMap(({ inspect }) => (inspect ? [inspect()] : [])));
}

/** @param name one of `clusterNames` */
export function clusterKind(name: string): ClusterKind {
  const found = kinds.find((one) => one.name === name);
  if (!found) throw new Error(`there is no kind of cluster ${name}; there are ${clusterNames.join(", ")}`);
  return found;
}
