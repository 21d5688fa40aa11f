/**
 * The folder that the engine works in: `.meshup/workspaces/STACK`, with the clone's Pulumi.yaml and Pulumi.STACK.yaml
 * as they are now. The engine writes the salt of its passphrase into the stack's file, which in the clone is committed.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { messageOf, UserError } from "../../lib/errors.ts";
import { makePrivateFolder, readText, writeWhole } from "../../lib/files.ts";
import { isMapping, type Mapping } from "../../lib/mapping.ts";
import { engineCopy, problemList, readStackFile } from "../../lib/stack-file.ts";

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
  /** The stack's configuration by key: `meshup:mesh`. */
  config: Mapping;
}

/**
 * Brings the engine's folder up to date.
 * @throws UserError when a file of the clone is not as it should be, or has values that Pulumi takes for others
 */
export function refreshWorkspace(clone: string, stateDir: string, stack: string): Workspace {
  const folder = workspaceDir(stateDir, stack);
  const project = projectFor(readProject(clone), clone);
  const name = `Pulumi.${stack}.yaml`;
  const text = readText(join(clone, name));
  const { config, rest, problems } = readStackFile(text, join(clone, name));
  if (problems.length > 0) throw new UserError(problemList(name, problems));
  const salt = keepsSecrets(rest) ? undefined : saltOf(join(folder, name));
  makePrivateFolder(folder);
  write(join(folder, "Pulumi.yaml"), stringify(project, { aliasDuplicateObjects: false }));
  write(join(folder, name), engineCopy(text, join(clone, name), { namespace: engineNamespace, salt }));
  return { folder, project: String(project.name), config };
}

/**
 * A folder for an engine that takes the stack down. It has no configuration, as what runs is in the state: whatever the
 * stack's file has become, and however large, the stack can be taken down.
 * @param note gets a line for each file of the clone that cannot be read
 */
export function prepareToTakeDown(
  clone: string,
  stateDir: string,
  stack: string,
  note: (line: string) => void,
): Workspace {
  const kept = workspaceDir(stateDir, stack);
  const folder = join(kept, "destroy");
  const name = `Pulumi.${stack}.yaml`;
  const project = orNote(() => projectFor(readProject(clone), clone), note) ?? readMapping(join(kept, "Pulumi.yaml"));
  const file = existsSync(join(clone, name)) ? join(clone, name) : undefined;
  const read = file === undefined ? undefined : orNote(() => readStackFile(readText(file), file), note);
  const rest = read ? neededToTakeDown(read.rest) : file === undefined ? {} : secretKeepers(readFileSync(file, "utf8"));
  const salt = keepsSecrets(rest) ? undefined : saltOf(join(kept, name));
  makePrivateFolder(folder);
  write(join(folder, "Pulumi.yaml"), stringify(project, { aliasDuplicateObjects: false }));
  write(join(folder, name), stringify({ ...rest, ...(salt !== undefined && { encryptionsalt: salt }) }));
  return { folder, project: String(project.name), config: read?.config ?? configOf(join(kept, name)) };
}

/** Secrets of the state are kept with the first three; providers may need what Pulumi ESC puts into their environment. */
function neededToTakeDown(rest: Mapping): Mapping {
  const needed = ["encryptionsalt", "encryptedkey", "secretsprovider", "environment"];
  return Object.fromEntries(Object.entries(rest).filter(([key]) => needed.includes(key)));
}

function orNote<T>(read: () => T, note: (line: string) => void): T | undefined {
  try {
    return read();
  } catch (error) {
    note(`${messageOf(error).trimEnd()}\nIt is not needed to take the stack down.`);
    return undefined;
  }
}

/** Where meshup's configuration stands for the engine; the program finds it under its own name again. */
export const engineNamespace = "meshup-config";

/** The configuration in a copy; empty where there is none that can be read. */
function configOf(copy: string): Mapping {
  try {
    const { config } = readStackFile(readFileSync(copy, "utf8"), copy);
    const entries = Object.entries(config);
    return Object.fromEntries(entries.map(([key, value]) => [key.replace(`${engineNamespace}:`, "meshup:"), value]));
  } catch {
    return {};
  }
}

function keepersIn(text: string, path: string): Mapping {
  try {
    return readStackFile(text, path).rest;
  } catch {
    return secretKeepers(text);
  }
}

/** What keeps a stack's secrets, in the text of a file that is no YAML any more. */
function secretKeepers(text: string): Mapping {
  const lines = text.matchAll(/^(encryptionsalt|encryptedkey|secretsprovider): *(\S.*?) *$/gm);
  return Object.fromEntries([...lines].map(([, key, value = ""]) => [key, value.replace(/^(["'])(.*)\1$/, "$2")]));
}

/** Whether a stack's file has secrets that are kept with a passphrase, as the engine makes one. */
export function hasSecrets(text: string, file: string): boolean {
  try {
    const { secrets, rest } = readStackFile(text, file);
    return secrets.length > 0 && "encryptionsalt" in rest;
  } catch {
    return /^encryptionsalt: /m.test(text) && /\bsecure:/.test(text);
  }
}

/** Whether a stack's file says what its secrets are kept with. The engine writes the salt of a passphrase into it. */
function keepsSecrets(rest: Mapping): boolean {
  return ["encryptionsalt", "encryptedkey", "secretsprovider"].some((key) => key in rest);
}

/** The engine's salt in a copy; undefined when it has made none. */
function saltOf(copy: string): string | undefined {
  const salt = existsSync(copy) ? keepersIn(readFileSync(copy, "utf8"), copy).encryptionsalt : undefined;
  return typeof salt === "string" ? salt : undefined;
}

/** A stack that is yet to be made has no use for the salt of one before it. */
export function forgetSalt(clone: string, stateDir: string, stack: string): void {
  rmSync(join(workspaceDir(stateDir, stack), `Pulumi.${stack}.yaml`), { force: true });
  refreshWorkspace(clone, stateDir, stack);
}

/** Pulumi.yaml for another folder: what it names by path, it names by absolute path. */
export function projectFor(project: Mapping, clone: string): Mapping {
  const { main: _, stackConfigDir: __, config, ...rest } = project;
  const defaults = isMapping(config) ? { config: renamed(config, String(project.name)) } : {};
  return { ...rest, ...defaults, plugins: absolutePaths(project.plugins, clone) };
}

/** The project's defaults of a stack's configuration, as `engineCopy` names it. */
function renamed(config: Mapping, project: string): Mapping {
  const entries = Object.entries(config);
  return Object.fromEntries(
    entries.map(([key, value]) => [
      (key.includes(":") ? key : `${project}:${key}`).replace(/^meshup:(config:)?/, `${engineNamespace}:`),
      value,
    ]),
  );
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

function readProject(clone: string): Mapping {
  return readMapping(join(clone, "Pulumi.yaml"));
}

function readMapping(path: string): Mapping {
  let value: unknown;
  try {
    value = parse(readText(path));
  } catch (error) {
    throw new UserError(`${path} is not YAML: ${messageOf(error)}`);
  }
  if (!isMapping(value)) throw new UserError(`${path}: a mapping is needed, such as\nname: meshup`);
  return value;
}

/** Beside and renamed: an engine that runs never reads half a file. */
function write(path: string, text: string): void {
  if (existsSync(path) && readFileSync(path, "utf8") === text) return;
  writeWhole(path, text, 0o600);
}
