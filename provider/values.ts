import { isDeepStrictEqual } from "node:util";
import { wire } from "../lib/pulumi-insides.ts";

const { unknown, signature, secret, output } = wire;

export type Properties = Record<string, unknown>;

/** The plain value below secrets and outputs. Only for use: what goes back to the engine keeps its wrapping. */
export function unwrap(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unwrap);
  if (value === null || typeof value !== "object") return value;
  const properties = value as Properties;
  if (properties[signature] === secret) return unwrap(properties.value);
  if (properties[signature] === output) return "value" in properties ? unwrap(properties.value) : unknown;
  return Object.fromEntries(Object.entries(properties).map(([key, child]) => [key, unwrap(child)]));
}

/**
 * A resource's properties as its type reads them. A missing property that was computed from a secret arrives as null
 * and is left out here.
 */
export function plain(properties: Properties): Properties {
  const entries = Object.entries(properties).map(([name, value]) => [name, unwrap(value)]);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

/** Whether it is a secret, or has one in it. */
export function hasSecret(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasSecret);
  if (value === null || typeof value !== "object") return false;
  const properties = value as Properties;
  if (properties[signature] === output && properties.secret === true) return true;
  return properties[signature] === secret || Object.values(properties).some(hasSecret);
}

/** The same value as a secret. */
export function sealed(value: unknown): Properties {
  return { [signature]: secret, value };
}

/** Whether anything in it is known only when the `up` runs. */
export function hasUnknown(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasUnknown);
  if (value !== null && typeof value === "object") return Object.values(value).some(hasUnknown);
  return value === unknown;
}

/** The names among `names` whose values differ. */
export function changedNames(names: string[], olds: Properties, news: Properties): string[] {
  return names.filter((name) => !isDeepStrictEqual(olds[name] ?? null, news[name] ?? null));
}
