import { isMapping } from "../../lib/mapping.ts";
import type { FilterDeclaration } from "./declared.ts";

/** A filter's plugin configuration. */
export interface Configuration {
  /** As the module reads it. */
  text: string;
  /** What it says, where it is JSON. */
  json?: unknown;
  /** The same, where that is an object. */
  object?: Record<string, unknown>;
}

/** @param declared an object is sent as JSON, text as it is */
export function configurationOf(declared: FilterDeclaration["config"]): Configuration | undefined {
  if (declared === undefined) return undefined;
  if (typeof declared === "object") return { text: JSON.stringify(declared), json: declared, object: declared };
  const json = parsed(declared);
  return { text: declared, ...(json !== undefined && { json }), ...(isMapping(json) && { object: json }) };
}

/** @returns undefined where it is no JSON, which has no such value */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
