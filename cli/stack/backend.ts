/** Where a stack's state lives, and what keeps its secrets. */
import { randomBytes } from "node:crypto";
import { existsSync, linkSync, lstatSync, readdirSync, readFileSync, rmdirSync, rmSync, symlinkSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { UserError } from "../../lib/errors.ts";
import { makePrivateFolder, writeWhole } from "../../lib/files.ts";
import { stateDir } from "../../lib/paths.ts";
import { leaveOutLogs } from "../../lib/pulumi-insides.ts";

export interface Backend {
  /** `clone`: the file backend inside the clone. `person`: the one that the person has chosen. */
  kind: "clone" | "person";
  /** Undefined where Pulumi knows it and we do not (its credentials file cannot be read). */
  url: string | undefined;
  /** Why it is this one, for people. */
  reason: string;
  /** The passphrase is the file in the clone. */
  ownPassphrase: boolean;
}

/** What decides; tests have their own. */
export interface BackendWorld {
  env: NodeJS.ProcessEnv;
  home: string;
  /** `.meshup` of the clone. */
  stateDir: string;
}

export const defaultBackendWorld = (): BackendWorld => ({ env: process.env, home: homedir(), stateDir });

/** PULUMI_BACKEND_URL, else where the person is logged in, else a folder in the clone. Writes nothing. */
export function decideBackend(world: BackendWorld): Backend {
  const { env } = world;
  const own = cloneBackendUrl(world);
  const login = env.PULUMI_BACKEND_URL
    ? { url: env.PULUMI_BACKEND_URL, reason: "PULUMI_BACKEND_URL" }
    : currentLogin(world);
  if (!login || login.url?.replace(/\/+$/, "") === own) {
    return { kind: "clone", url: own, reason: "you are not logged in elsewhere", ownPassphrase: !hasPassphrase(world) };
  }
  return { kind: "person", ...login, ownPassphrase: isSelfManaged(login.url) && !hasPassphrase(world) };
}

export function cloneBackendUrl({ stateDir }: Pick<BackendWorld, "stateDir">): string {
  return pathToFileURL(join(stateDir, "state")).href;
}

/** Writes down where a stack's state lives: another shell, or another login, may decide otherwise. */
export function noteBackend(file: string, backend: Backend): void {
  makePrivateFolder(dirname(file));
  writeWhole(file, noteOf(backend), 0o600);
}

/** @throws UserError when the stack's state lives in another backend than the one that was decided on */
export function requireNotedBackend(file: string, stack: string, backend: Backend, world: BackendWorld): void {
  if (!existsSync(file)) return;
  const noted = readFileSync(file, "utf8").trim();
  if (noted === noteOf(backend)) return;
  const url = noted === cloneNote ? cloneBackendUrl(world) : noted;
  throw new UserError(
    [
      `The state of stack ${stack} is in another backend, and nothing was changed:`,
      `  it is in          ${url || "the one that you were logged in to when it was brought up"}`,
      `  this run would use ${shown(backend) || "Pulumi's own choice"} (${backend.reason})`,
      url
        ? `Run the command again with PULUMI_BACKEND_URL=${url}`
        : "Run the command again logged in there (`pulumi login`), and without PULUMI_BACKEND_URL.",
      `Where that backend is gone for good, remove ${file} first.`,
    ].join("\n"),
  );
}

/** The backend in the clone by another name than its address: a clone can be moved. */
const cloneNote = "clone";

function noteOf(backend: Backend): string {
  return backend.kind === "clone" ? cloneNote : shown(backend);
}

/** The address without the password that it may have (`postgres://`); empty where it is not known. */
function shown({ url = "" }: Backend): string {
  return url.replace(/^(\w+:\/\/[^/@:]*):[^/@]*@/, "$1@").replace(/\/+$/, "");
}

/** The clone's own file, which `init` gives to a shell, is none of the person's: `destroy` takes it away. */
function hasPassphrase({ env, stateDir }: BackendWorld): boolean {
  const file = env.PULUMI_CONFIG_PASSPHRASE_FILE;
  const own = (["clone", "person"] as const).map((kind) => passphrasePath(kind, { stateDir }));
  return env.PULUMI_CONFIG_PASSPHRASE !== undefined || Boolean(file && !own.includes(file));
}

/** Everything but Pulumi Cloud keeps secrets with a passphrase of the person's, unless the stack names a key service. */
function isSelfManaged(url: string | undefined): boolean {
  return url !== undefined && !/^https?:/.test(url);
}

/** Where `pulumi login` was last used; undefined when it was not, or the person has logged out. */
function currentLogin({ env, home }: BackendWorld): { url: string | undefined; reason: string } | undefined {
  const path = join(env.PULUMI_CREDENTIALS_PATH || env.PULUMI_HOME || join(home, ".pulumi"), "credentials.json");
  if (existsSync(path)) {
    try {
      const current: unknown = JSON.parse(readFileSync(path, "utf8"))?.current;
      if (typeof current === "string" && current) return { url: current, reason: `you are logged in (${path})` };
    } catch {
      return { url: undefined, reason: `you are logged in (${path})` }; // newer engines can encrypt it
    }
  }
  if (env.PULUMI_ACCESS_TOKEN) return { url: undefined, reason: "PULUMI_ACCESS_TOKEN is set" };
  return undefined;
}

/** The folder of a file backend; undefined for any other. */
export function backendFolder({ url }: Pick<Backend, "url">, home = homedir()): string | undefined {
  if (!url?.startsWith("file://")) return undefined;
  if (url.startsWith("file://~")) return join(home, url.slice("file://~".length));
  try {
    return fileURLToPath(url);
  } catch {
    return undefined; // relative: Pulumi takes it from its working folder
  }
}

/**
 * The engine's environment for a backend; makes what it names. The engine keeps notes of its own in
 * PULUMI_HOME: for the backend in the clone they stay in the clone, and only plugins are shared.
 */
export function backendEnvironment(backend: Backend, world: BackendWorld): Record<string, string> {
  const env: Record<string, string> = {};
  if (backend.ownPassphrase) env.PULUMI_CONFIG_PASSPHRASE_FILE = ensurePassphrase(backend.kind, world);
  if (backend.kind === "clone" && backend.url) {
    makePrivateFolder(fileURLToPath(backend.url));
    env.PULUMI_BACKEND_URL = backend.url;
    env.PULUMI_HOME = ensureHome(world);
    env.PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS = "true"; // nobody looks for them there
  }
  return env;
}

/** State that lives elsewhere outlasts what `npm run destroy` removes in the clone, and so does its passphrase. */
export function passphrasePath(kind: Backend["kind"], { stateDir }: Pick<BackendWorld, "stateDir">): string {
  return join(stateDir, kind === "clone" ? "passphrase" : "passphrase-elsewhere");
}

function ensurePassphrase(kind: Backend["kind"], world: BackendWorld): string {
  const path = passphrasePath(kind, world);
  const own = `${path}.${process.pid}`;
  try {
    writeWhole(own, `${randomBytes(32).toString("base64url")}\n`, 0o600);
    linkSync(own, path); // whole, or not at all; never in another one's place
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  } finally {
    rmSync(own, { force: true });
  }
  return path;
}

/** A PULUMI_HOME in the clone whose plugins are those of the person: they are downloads, and large. */
function ensureHome({ env, home, stateDir }: BackendWorld): string {
  const own = join(stateDir, "pulumi-home");
  const theirs = join(env.PULUMI_HOME || join(home, ".pulumi"), "plugins");
  const plugins = join(own, "plugins");
  makePrivateFolder(own);
  if (existsSync(theirs) && theirs !== plugins) linkFolder(theirs, plugins);
  leaveOutLogs(own);
  return own;
}

function linkFolder(target: string, path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there?.isSymbolicLink() || (there?.isDirectory() && readdirSync(path).length > 0)) return;
  if (there) rmdirSync(path);
  try {
    symlinkSync(target, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // another run was quicker
  }
}
