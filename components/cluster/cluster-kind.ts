import type { Overrides } from "../config/overrides.ts";
import type { Cluster } from "./cluster.ts";
import type { ClusterInspector } from "./inspector.ts";

/** One of these is each folder here; index.ts lists them. */
export interface ClusterKind {
  /** As `meshup:cluster` names it. */
  name: string;
  /** False for this machine as it is. */
  isCluster: boolean;
  /** Keys of the stack's configuration that only it knows. */
  keys: object;
  /**
   * Loads what it takes, and makes the cluster.
   * @throws UserError that names all that stands in the way
   */
  create(config: Overrides, stack: string): Promise<Cluster | undefined>;
  /** How it is looked into; none where there is no cluster. */
  inspect?(): Promise<ClusterInspector>;
}
