/**
 * The folder that the engine works in: `.meshup/workspaces/STACK`, with the clone's Pulumi.yaml and Pulumi.STACK.yaml
 * as they are now. The engine writes the salt of its passphrase into the stack's file, which in the clone is committed.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { messageOf, UserError } from "../../lib/errors.ts";

/** The stacks that the clone declares, by their files. */
export function stackNames(clone: string): string[] {
  return readdirSync(clone)
    .flatMap((file) => /^Pulumi\.([^.]+)\.yaml$/.exec(file)?.[1] ?? [])
    .sort();
}

/** @throws UserError when the clone has no file for this stack. */
export function requireStack(clone: string, stack: string): void {
  const names = stackNames(clone);
  if (names.includes(stack)) return;
  const there = names.length > 0 ? `the stacks are ${names.join(", ")}` : "there is no stack";
  throw new UserError(`There is no stack "${stack}" (a file Pulumi.${stack}.yaml in ${clone}); ${there}.`);
}

export function workspaceDir(stateDir: string, stack: string): string {
  return join(stateDir, "workspaces", stack);
}

export interface Workspace {
  folder: string;
  /** The project's name. */
  project: string;
  /** The stack's configuration. */
  config: Mapping;
}

/** Brings the engine's folder up to date. @throws UserError when a file of the clone is not as it should be */
export function refreshWorkspace(clone: string, stateDir: string, stack: string): Workspace {
  const folder = workspaceDir(stateDir, stack);
  mkdirSync(folder, { recursive: true });
  const project = projectFor(read(join(clone, "Pulumi.yaml")), clone);
  write(join(folder, "Pulumi.yaml"), project);
  const file = `Pulumi.${stack}.yaml`;
  const kept = existsSync(join(folder, file)) ? read(join(folder, file)) : {};
  write(join(folder, file), mergeStack(read(join(clone, file)), kept));
  return openWorkspace(folder, stack);
}

/** As `refreshWorkspace`. Where a file of the clone is not as it should be, the last copies stay, with a note. */
export function refreshOrKeepWorkspace(
  clone: string,
  stateDir: string,
  stack: string,
  note: (line: string) => void,
): Workspace {
  try {
    return refreshWorkspace(clone, stateDir, stack);
  } catch (error) {
    const folder = workspaceDir(stateDir, stack);
    if (!(error instanceof UserError) || !existsSync(join(folder, `Pulumi.${stack}.yaml`))) throw error;
    note(`${error.message.trimEnd()}\nGoing by the copy of the last run instead: ${folder}`);
    return openWorkspace(folder, stack);
  }
}

function openWorkspace(folder: string, stack: string): Workspace {
  const { config } = read(join(folder, `Pulumi.${stack}.yaml`));
  const { name } = read(join(folder, "Pulumi.yaml"));
  return { folder, project: String(name), config: (config ?? {}) as Mapping };
}

/** A stack that is yet to be made has no use for the salt of one before it. */
export function forgetSalt(clone: string, stateDir: string, stack: string): void {
  const file = `Pulumi.${stack}.yaml`;
  write(join(workspaceDir(stateDir, stack), file), read(join(clone, file)));
}

type Mapping = Record<string, unknown>;

/** Pulumi.yaml for another folder: what it names by path, it names by absolute path. */
export function projectFor(project: Mapping, clone: string): Mapping {
  const { main: _, stackConfigDir: __, ...rest } = project;
  return { ...rest, plugins: absolutePaths(project.plugins, clone) };
}

function absolutePaths(value: unknown, clone: string): unknown {
  if (Array.isArray(value)) return value.map((item) => absolutePaths(item, clone));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key,
      key === "path" && typeof inner === "string" ? resolve(clone, inner) : absolutePaths(inner, clone),
    ]),
  );
}

/** The clone's file wins; the salt that the engine has made is kept where the clone names nothing of its own. */
export function mergeStack(own: Mapping, kept: Mapping): Mapping {
  const decided = ["encryptionsalt", "encryptedkey", "secretsprovider"].some((key) => key in own);
  return decided || kept.encryptionsalt === undefined ? own : { ...own, encryptionsalt: kept.encryptionsalt };
}

function read(path: string): Mapping {
  let value: unknown;
  try {
    value = parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new UserError(`${path} is not YAML: ${messageOf(error)}`);
  }
  const mapping = value ?? {};
  if (!isMapping(mapping)) throw new UserError(`${path}: a mapping is needed, such as${example}`);
  if (!isMapping(mapping.config ?? {})) throw new UserError(`${path}: config: a mapping is needed, such as${example}`);
  return mapping;
}

const example = "\nconfig:\n  meshup:mesh: standalone";

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Beside and renamed: an engine that runs never reads half a file. */
function write(path: string, value: Mapping): void {
  const text = stringify(value, { aliasDuplicateObjects: false });
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  writeFileSync(`${path}.${process.pid}`, text);
  renameSync(`${path}.${process.pid}`, path);
}
