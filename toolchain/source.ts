import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { UserError } from "../lib/errors.ts";
import { root } from "../lib/paths.ts";
import { isReference } from "../oci/reference.ts";
import { expected, lookedFor, toolchainFor } from "./index.ts";
import { type CredentialsFor, resolveReference } from "./reference.ts";
import type { ModuleSource } from "./toolchain.ts";

export type { ModuleSource } from "./toolchain.ts";

/**
 * Finds out what `path` is: the source of a toolchain, a ready module, or one in a registry.
 * @param path relative to the clone, or absolute; or `oci://REFERENCE@sha256:…`
 * @throws UserError that says what was looked for.
 */
export async function resolveModule(path: string, credentialsFor?: CredentialsFor): Promise<ModuleSource> {
  if (isReference(path)) return resolveReference(path, credentialsFor);
  const absolute = resolve(root, path);
  const found = await stat(absolute).catch(() => undefined);
  if (!found) throw new UserError(`${path}: there is no such file or folder (looked for ${absolute}).\n${expected}`);
  const place = { path: absolute, name: path, isFolder: found.isDirectory() };
  const toolchain = await toolchainFor(place);
  if (toolchain) return toolchain.resolve(place);
  const why = place.isFolder ? `has nothing to build: looked for ${lookedFor}` : "is neither a folder nor a .wasm file";
  throw new UserError(`${path} ${why}.\n${expected}`);
}
