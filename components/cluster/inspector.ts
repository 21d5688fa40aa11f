/** How a stack's cluster is looked into from this machine. Nothing here is of Pulumi: commands look. */
import type { Check } from "../../lib/steps.ts";

export interface ClusterInspector {
  /** Absolute path of the kubeconfig file, as long as the stack has no outputs that say where it is. */
  kubeconfig(stack: string): string;
  /** Looks at what of the cluster is on this machine. */
  diagnose(stack: ConfiguredStack, check: Check): Promise<Diagnosed>;
}

export interface ConfiguredStack {
  name: string;
  /** What stands under `meshup:` in its file, by key, as it is written. */
  config: Record<string, unknown>;
}

export interface Diagnosed {
  /** Steps that its API server needs. */
  needs: string[];
  registry?: OwnRegistry;
}

/** The cluster's own registry. */
export interface OwnRegistry {
  /** In images' references: `registry.localhost:5000`. */
  address: string;
  /** For this machine. */
  url: string;
  /** A step, and those that it needs. */
  look(): Promise<string>;
  needs: string[];
}
