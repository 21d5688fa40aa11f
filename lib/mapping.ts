export type Mapping = Record<string, unknown>;

/** Whether a value of YAML or JSON has keys: it is no list, and not null. */
export function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
