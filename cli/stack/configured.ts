import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../lib/paths.ts";
import { readStackFile } from "../../lib/stack-file.ts";

/** What stands under `meshup:` in a stack's file, by key, as it is written; empty where it cannot be read. */
export function configured(stack: string): Record<string, unknown> {
  const path = join(root, `Pulumi.${stack}.yaml`);
  try {
    const own = Object.entries(readStackFile(readFileSync(path, "utf8"), path).config).flatMap(([key, value]) =>
      key.startsWith("meshup:") ? [[key.slice("meshup:".length), value] as const] : [],
    );
    return Object.fromEntries(own);
  } catch {
    return {};
  }
}
