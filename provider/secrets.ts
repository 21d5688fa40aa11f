/**
 * `meshup:index:Secrets`: what the stack's configuration has had for secrets. Commands do not print it: a proxy may have
 * one that an update has brought before it failed, and a log one that is another by now.
 */
import type { ResourceType } from "./resource.ts";

export interface SecretsInputs {
  /** As the configuration has them. */
  values: string[];
}

export interface SecretsOutputs {
  /** These, then those before them. */
  known: string[];
}

/** Where a secret changes often, the oldest go: logs are put aside in the end, too. */
export const maxKnown = 500;

export const secretsType: ResourceType<SecretsInputs, SecretsOutputs> = {
  inputs: { values: "update" },
  reveals: ["known"],
  id: () => "secrets",
  create: async ({ values }) => ({ known: first(values) }),
  update: async ({ known }, { values }) => ({ known: first([...values, ...known]) }),
  read: async ({ known }) => ({ known }),
};

const first = (values: string[]) => [...new Set(values)].slice(0, maxKnown);
