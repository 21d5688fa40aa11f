import { createHash } from "node:crypto";
import { isAbsolute, join, normalize } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { readSources, type SourceFile } from "../files.ts";
import type { ModuleSource } from "../toolchain.ts";
import { type AscOptions, readAscConfig } from "./asc-options.ts";
import { compile } from "./compile.ts";
import { librarySources, toolVersions } from "./library.ts";

export interface AssemblyScriptSource extends ModuleSource {
  kind: "assemblyscript";
  /** Relative to the folder. */
  entry: string;
  options: AscOptions;
}

/**
 * @param folder absolute
 * @param name as it was written
 * @param usual the entries that are looked for where its asconfig.json names none
 */
export async function resolveFolder(folder: string, name: string, usual: string[]): Promise<AssemblyScriptSource> {
  const sources = await readSources(folder);
  const has = (file: string) => sources.some((source) => source.path === file);
  const text = sources.find((source) => source.path === "asconfig.json")?.content.toString("utf8");
  const { entries, options } = readAscConfig(text, join(name, "asconfig.json"));
  if (entries.length > 1) {
    throw new UserError(`${join(name, "asconfig.json")}: "entries" has ${entries.length} files; a filter has one.`);
  }
  const candidates = entries.length > 0 ? entries.map(inFolder) : usual;
  const entry = candidates.find(has);
  if (entry === undefined) {
    const looked =
      entries.length > 0 ? `${candidates.join(", ")} ("entries" in its asconfig.json)` : candidates.join(", ");
    throw new UserError(`${name} has no AssemblyScript to compile: looked for ${looked}.`);
  }
  const sourceHash = hashOf(sources, await librarySources(), { entry, options, versions: await toolVersions() });
  const build = () => compile({ folder, entry, options });
  return { kind: "assemblyscript", path: folder, entry, options, sourceHash, build };
}

/** Paths and contents with their lengths, so that no two inputs look the same. */
function hashOf(sources: SourceFile[], library: SourceFile[], rest: unknown): string {
  const hash = createHash("sha256").update(JSON.stringify(rest));
  for (const { path, content } of [...sources, ...library]) {
    hash.update(`\n${path.length} ${path} ${content.length}\n`).update(content);
  }
  return hash.digest("hex");
}

function inFolder(entry: string): string {
  const path = normalize(entry).replaceAll("\\", "/").replace(/^\.\//, "");
  if (isAbsolute(path) || path.startsWith("..")) {
    throw new UserError(`asconfig.json: the entry ${entry} must lie within the filter's folder.`);
  }
  return path;
}
