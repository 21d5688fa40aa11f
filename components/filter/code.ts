/** What filters are made of: each module and each script is found, named and read in this one place, once. */
import { existsSync } from "node:fs";
import { relative, resolve } from "node:path";
import type * as pulumi from "@pulumi/pulumi";
import { messageOf, UserError } from "../../lib/errors.ts";
import { readText } from "../../lib/files.ts";
import { once } from "../../lib/once.ts";
import { root } from "../../lib/paths.ts";
import { sha256 } from "../../lib/sha256.ts";
import { isReference, parseReference } from "../../oci/reference.ts";
import { ModuleFile } from "../../provider/resources.ts";
import { buildModule } from "../../toolchain/build.ts";
import type { CredentialsFor } from "../../toolchain/reference.ts";
import { resolveModule } from "../../toolchain/source.ts";
import type { FilterDeclaration } from "./declared.ts";

/** What tells a module from all others, whatever its bytes are. */
export interface ModuleName {
  /** As its resources are named: `filters/mine`. */
  name: string;
  /** As its images and servers are named: `filters-mine`. */
  slug: string;
}

/** A WebAssembly module. */
export interface Module extends ModuleName {
  /** Absolute path. */
  file: pulumi.Output<string>;
  /** sha256, hex. */
  digest: pulumi.Output<string>;
}

/** A Lua script, which goes to the proxy as text. */
export interface Script {
  text: string;
  /** sha256, hex. */
  digest: string;
}

/** A declared filter with what it is made of. */
export type Coded = { declaration: FilterDeclaration } & ({ module: Module } | { script: Script });

/**
 * Each declared filter with its code, in their order; a module is built once however many filters use it.
 * @throws UserError that names every module and script that is not there, or is none, with its key
 */
export async function findCode(declarations: FilterDeclaration[], credentialsFor: CredentialsFor): Promise<Coded[]> {
  const found: { declaration: FilterDeclaration; code: FoundModule | Script }[] = [];
  const modules = new Map<string, FoundModule>();
  const problems: string[] = [];
  const find = async (path: string) => {
    const { name } = moduleName(path);
    const module = modules.get(name) ?? (await findModule(path, credentialsFor));
    modules.set(name, module);
    return module;
  };
  for (const [i, declaration] of declarations.entries()) {
    const { module, script } = declaration;
    try {
      found.push({ declaration, code: module === undefined ? readScript(script) : await find(module) });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(`meshup:filters[${i}].${module === undefined ? "script" : "module"}: ${error.message}`);
    }
  }
  if (problems.length > 0) throw new UserError(problems.join("\n"));
  const built = once(createModule);
  return found.map(({ declaration, code }): Coded => {
    return "text" in code ? { declaration, script: code } : { declaration, module: built(code) };
  });
}

/** `./filters/my_filter` and its absolute path are one module; one in a registry is what its digest says. */
export function moduleName(path: string): ModuleName {
  if (isReference(path)) return referenceName(path);
  const within = relative(root, resolve(root, path));
  const slug = within.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return { name: within || ".", slug: slug.replace(/^-+|-+$/g, "") || "filter" };
}

/** `oci://ghcr.io/me/my_filter@sha256:d905f08db4f1…` → `my_filter@d905f08db4f1`, `my-filter-d905f08db4f1` */
function referenceName(text: string): ModuleName {
  const { repository, digest = "" } = parseReference(text);
  const last = repository.split("/").at(-1) ?? "";
  const short = digest.replace(/^sha256:/, "").slice(0, 12);
  // Names of servers are cut to 45 characters.
  return {
    name: `${last}@${short}`,
    slug: `${last.replace(/[^a-z0-9]+/g, "-").slice(0, 30)}-${short}`.replace("--", "-"),
  };
}

/** A module that is there, and not built yet. */
interface FoundModule extends ModuleName {
  /** As it was written. */
  path: string;
  sourceHash: string;
}

async function findModule(path: string, credentialsFor: CredentialsFor): Promise<FoundModule> {
  const source = await resolveModule(path, credentialsFor);
  const { sourceHash } = source;
  // Fetched here and not by its resource: what is wrong is told with the key, and the password stays with the program.
  if (isReference(path)) await buildModule(source);
  return { ...moduleName(path), path, sourceHash };
}

function createModule({ name, slug, path, sourceHash }: FoundModule): Module {
  const { sha256: digest, file } = new ModuleFile(name, { path, sourceHash });
  return { name, slug, file, digest };
}

/** @param path undefined where a filter has neither: the configuration has refused it */
function readScript(path = "."): Script {
  const file = resolve(root, path);
  if (!existsSync(file)) throw new UserError(`${path}: there is no such file`);
  const text = scriptText(file, path);
  return { text, digest: sha256(text) };
}

function scriptText(file: string, path: string): string {
  try {
    return readText(file);
  } catch (error) {
    throw new UserError(`the script ${path} cannot be read: ${messageOf(error)}`);
  }
}
