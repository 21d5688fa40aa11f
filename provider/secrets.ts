/**
 * `meshup:index:Secrets`: the current and earlier secrets of the stack's configuration. Commands do not print them. Old
 * secrets stay listed: logs still have them, and a proxy may have one from an update that failed later.
 */
import type { ResourceType } from "./resource.ts";

export interface SecretsInputs {
  /** As the configuration has them. */
  values: string[];
}

export interface SecretsOutputs {
  /** The current secrets, then the earlier ones. */
  known: string[];
}

/** If secrets change often, the oldest are dropped. Logs are rotated in time, too. */
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
