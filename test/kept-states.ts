/** States that earlier commits have made: test/fixtures/states. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root } from "../lib/paths.ts";

/** A state file's text. @param places what stands in the place of `@NAME@` */
export function keptState(stack: string, places: Record<string, string> = {}): string {
  const file = join(root, "test/fixtures/states", `${stack}.json.gz`);
  const text = gunzipSync(readFileSync(file)).toString();
  return Object.entries(places).reduce((all, [name, place]) => all.replaceAll(`@${name}@`, place), text);
}
