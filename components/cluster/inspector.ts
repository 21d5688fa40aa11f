/** How a stack's cluster is looked into from this machine. Nothing here is of Pulumi: commands look. */
import type { Check } from "../../lib/steps.ts";
import type { Container } from "./docker.ts";

export interface ClusterInspector {
  /** Absolute path of the kubeconfig file, as long as the stack has no outputs that say where it is. */
  kubeconfig(stack: string): string;
  /** How kubectl is called for it, by somebody who has nothing but what it runs in. */
  kubectl(stack: ConfiguredStack): string;
  /** The container of its node on this machine; undefined where there is none, or only somebody else's. */
  node(stack: ConfiguredStack): Promise<Container | undefined>;
  /** How the state knows the cluster that is there: as `clusterIdentifier` of the provider that made what is in it. */
  identifier(stack: ConfiguredStack): Promise<string | undefined>;
  /** Its own registry. */
  registry(stack: ConfiguredStack): OwnRegistry;
  /** Looks at what of the cluster is on this machine. @returns steps that its API server needs */
  diagnose(stack: ConfiguredStack, check: Check): Promise<string[]>;
  /** Removes what a run that was killed has left, and no state tells of. @returns the names of what was removed */
  removeLeft(stack: string): Promise<string[]>;
}

export interface ConfiguredStack {
  name: string;
  /** What stands under `meshup:` in its file, by key, as it is written. */
  config: Record<string, unknown>;
}

export interface OwnRegistry {
  /** In images' references: `registry.localhost:5000`. */
  address: string;
  /** For this machine: `http://127.0.0.1:5001`. */
  url: string;
  /** Name of its container. */
  container: string;
  /** What is seen of it: a step of a diagnosis, and the steps that it needs. */
  look(): Promise<string>;
  needs: string[];
}
