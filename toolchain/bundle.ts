import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../lib/files.ts";
import { root } from "../lib/paths.ts";

/** Folders that a service's source may come from; what a service imports from elsewhere would go unnoticed. */
const sourceFolders = ["services", "lib"];

/** The sha256 of everything that a service's bundle may be made from. Reads the clone, writes nothing. */
export function bundleHash(entry: string): string {
  const hash = createHash("sha256").update(entry);
  for (const folder of sourceFolders) {
    const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
      .sort();
    for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(join(root, folder, file)));
  }
  return hash.digest("hex");
}

/**
 * Bundles a service and all that it imports into one file that Node runs by itself, named by its content.
 *
 * @param entry relative to the clone: `services/echo.ts`
 * @returns the bundle's sha256 and absolute path: `DIRECTORY/<sha256>.mjs`
 */
export async function bundle(entry: string, directory: string): Promise<{ sha256: string; file: string }> {
  const { build } = await import("esbuild");
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    write: false,
    logLevel: "silent",
  });
  const [output] = result.outputFiles;
  if (!output) throw new Error(`esbuild made nothing of ${entry}`);
  const sha256 = createHash("sha256").update(output.contents).digest("hex");
  const file = join(directory, `${sha256}.mjs`);
  writeWhole(file, output.contents);
  return { sha256, file };
}
