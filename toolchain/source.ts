import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { isAbsolute, join, normalize, resolve } from "node:path";
import { UserError } from "../lib/errors.ts";
import { root } from "../lib/paths.ts";
import { type AscOptions, readAscConfig } from "./assemblyscript/asc-options.ts";
import { librarySources, toolVersions } from "./assemblyscript/library.ts";
import { readSources, type SourceFile } from "./files.ts";

/** Where a module comes from. */
export type ModuleSource = AssemblyScriptSource | WasmSource;

export interface AssemblyScriptSource {
  kind: "assemblyscript";
  /** The folder, absolute. */
  path: string;
  /** Relative to the folder. */
  entry: string;
  options: AscOptions;
  /** sha256 over all that goes into the module: sources, library, versions, options. */
  sourceHash: string;
}

export interface WasmSource {
  kind: "wasm";
  /** The file, absolute. */
  path: string;
  /** sha256 of its bytes. */
  sourceHash: string;
}

/**
 * Finds out what `path` is: a folder of AssemblyScript, or a ready module of any toolchain.
 * @param path relative to the clone, or absolute.
 * @throws UserError that says what was looked for.
 */
export async function resolveModule(path: string): Promise<ModuleSource> {
  const absolute = resolve(root, path);
  const found = await stat(absolute).catch(() => undefined);
  if (!found) {
    throw new UserError(`${path}: there is no such file or folder (looked for ${absolute}).\n${expected}`);
  }
  return found.isDirectory() ? resolveFolder(absolute, path) : resolveWasm(absolute, path);
}

/** sha256 in hexadecimal. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const expected = "A module is a folder with assembly/index.ts, or a file that ends in .wasm.";

async function resolveFolder(folder: string, name: string): Promise<AssemblyScriptSource> {
  const sources = await readSources(folder);
  const has = (file: string) => sources.some((source) => source.path === file);
  const text = sources.find((source) => source.path === "asconfig.json")?.content.toString("utf8");
  const { entries, options } = readAscConfig(text, join(name, "asconfig.json"));
  if (entries.length > 1) {
    throw new UserError(`${join(name, "asconfig.json")}: "entries" has ${entries.length} files; a filter has one.`);
  }
  const candidates = entries.length > 0 ? entries.map(inFolder) : ["assembly/index.ts", "index.ts"];
  const entry = candidates.find(has);
  if (entry === undefined) {
    const looked =
      entries.length > 0 ? `${candidates.join(", ")} ("entries" in its asconfig.json)` : candidates.join(", ");
    throw new UserError(`${name} has no AssemblyScript to compile: looked for ${looked}.\n${expected}`);
  }
  const sourceHash = hashOf(sources, await librarySources(), { entry, options, versions: await toolVersions() });
  return { kind: "assemblyscript", path: folder, entry, options, sourceHash };
}

async function resolveWasm(file: string, name: string): Promise<WasmSource> {
  if (!file.endsWith(".wasm")) throw new UserError(`${name} is neither a folder nor a .wasm file.\n${expected}`);
  const bytes = await readFile(file);
  const magic = bytes.subarray(0, 4).toString("latin1") === "\0asm";
  if (!magic) throw new UserError(`${name} is not a WebAssembly module: it does not begin with \\0asm.`);
  if (bytes.length < 8 || bytes.readUInt32LE(4) !== 1) {
    throw new UserError(`${name} is not a core WebAssembly module of version 1 (a component?); proxies load no other.`);
  }
  return { kind: "wasm", path: file, sourceHash: sha256(bytes) };
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
