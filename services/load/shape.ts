/**
 * Readers of JSON whose shape somebody else decides: each gives the value, or throws an error that says what is wrong
 * with which part.
 */
export type Json = Record<string, unknown>;

export function object(value: unknown, at: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw new Error(`${at} is not an object`);
}

export function list(value: unknown, at: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${at} is not a list`);
}

/** A list that may be left out, or be null, as Go writes an empty one. */
export function optionalList(value: unknown, at: string): unknown[] {
  return list(value ?? [], at);
}

export function string(value: unknown, at: string): string {
  if (typeof value === "string") return value;
  throw new Error(`${at} is not a text`);
}

/** A whole number that is not negative. */
export function count(value: unknown, at: string): number {
  if (Number.isInteger(value) && (value as number) >= 0) return value as number;
  throw new Error(`${at} is not a whole number`);
}
