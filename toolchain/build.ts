import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { UserError } from "../lib/errors.ts";
import { writeWhole } from "../lib/files.ts";
import { modulesDir, root } from "../lib/paths.ts";
import { sha256 } from "../lib/sha256.ts";
import { shortPath } from "./files.ts";
import { type ModuleSource, resolveModule } from "./source.ts";

export interface BuiltModule {
  /** Of the module's bytes, in hexadecimal: the module's name. */
  sha256: string;
  /** `<outDir>/<sha256>.wasm` */
  path: string;
  /** The module's size. */
  bytes: number;
}

/**
 * Makes the module of a source, named by its content. A source that was built before, and whose module is still what it
 * was, is not built again: `<sourceHash>.json` beside the modules says what came of it.
 * @throws UserError with the toolchain's diagnostics.
 */
export async function buildModule(source: ModuleSource, outDir: string = modulesDir): Promise<BuiltModule> {
  const index = join(outDir, `${source.sourceHash}.json`);
  const known = await knownModule(index, outDir);
  if (known) return known;
  const bytes = await moduleBytes(source);
  const hash = sha256(bytes);
  const path = join(outDir, `${hash}.wasm`);
  writeWhole(path, bytes);
  writeWhole(index, `${JSON.stringify({ sha256: hash })}\n`);
  return { sha256: hash, path, bytes: bytes.length };
}

/** Builds the module of `from` (the project's own filter) and writes it to `path`; both relative to the clone. */
export async function buildTo(path: string, from = "filter"): Promise<BuiltModule> {
  const built = await buildModule(await resolveModule(from));
  const target = resolve(root, path);
  writeWhole(target, await readFile(built.path));
  return { ...built, path: target };
}

/** The bytes; what changes meanwhile must not be kept under the name of what was there before. */
async function moduleBytes(source: ModuleSource): Promise<Uint8Array> {
  const { path } = source;
  const bytes = await source.build();
  const now = await resolveModule(path);
  if (now.sourceHash === source.sourceHash) return bytes;
  throw new UserError(`${shortPath(path)} was changed while it was built. Run the command again.`);
}

async function knownModule(index: string, outDir: string): Promise<BuiltModule | undefined> {
  try {
    const hash: unknown = JSON.parse(await readFile(index, "utf8")).sha256;
    const path = join(outDir, `${hash}.wasm`);
    const bytes = await readFile(path);
    return sha256(bytes) === hash ? { sha256: hash, path, bytes: bytes.length } : undefined;
  } catch {
    return undefined; // not built yet, or cut short: build it
  }
}
