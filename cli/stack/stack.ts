/** A stack, opened for one command: its engine, its backend, the folder that the engine works in. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { makePrivateFolder, writeWhole } from "../../lib/files.ts";
import { root, stackDir, stateDir } from "../../lib/paths.ts";
import { NotYet, poll } from "../../lib/poll.ts";
import { defaultEngineWorld, type Engine, findEngine } from "../engine/engine.ts";
import type { Terminal } from "../output/terminal.ts";
import {
  type Backend,
  type BackendWorld,
  backendEnvironment,
  backendFolder,
  decideBackend,
  defaultBackendWorld,
  noteBackend,
  requireNotedBackend,
} from "./backend.ts";
import { forgetSalt, refreshWorkspace, requireStack, type Workspace } from "./files.ts";
import { clearStaleLocks, type EngineLock, engineLocks, heldError, takeStack } from "./locks.ts";

/** What the engine's state of a stack holds, as far as it is read here. */
export interface Deployment {
  resources?: StateResource[];
  pending_operations?: unknown[];
}

export interface StateResource {
  urn: string;
  type: string;
  id?: string;
  inputs?: Record<string, unknown>;
  outputs?: Record<string, unknown>;
  /** False for a component. */
  custom?: boolean;
  /** It was only read. */
  external?: boolean;
  /** Another one has taken its place, and it waits for its deletion. */
  delete?: boolean;
  /** `URN::ID` of the provider that it was made by. */
  provider?: string;
  parent?: string;
  dependencies?: string[];
  propertyDependencies?: Record<string, string[] | null>;
}

export class Stack {
  readonly name: string;
  readonly project: string;
  readonly engine: Engine;
  readonly backend: Backend;
  /** The engine's working folder. */
  readonly folder: string;
  /** What the engine needs in its environment beside ours. */
  readonly env: Record<string, string>;
  /** As its file has it. */
  readonly config: Workspace["config"];
  readonly #terminal: Terminal;

  private constructor(
    fields: Pick<Stack, "name" | "project" | "engine" | "backend" | "folder" | "env" | "config">,
    terminal: Terminal,
  ) {
    this.name = fields.name;
    this.project = fields.project;
    this.engine = fields.engine;
    this.backend = fields.backend;
    this.folder = fields.folder;
    this.env = fields.env;
    this.config = fields.config;
    this.#terminal = terminal;
  }

  /**
   * @param workspace default: the engine's folder, brought up to date
   * @throws UserError when there is no such stack, or no engine
   */
  static async open(name: string, terminal: Terminal, workspace?: Workspace): Promise<Stack> {
    if (workspace === undefined) requireStack(root, name);
    const world = defaultBackendWorld();
    const backend = backendOf(name, world);
    const engine = await findEngine(await defaultEngineWorld((line) => terminal.note(line)));
    const { folder, project, config } = workspace ?? refreshWorkspace(root, stateDir, name);
    const env = {
      ...backendEnvironment(backend, world),
      PULUMI_SKIP_UPDATE_CHECK: "true",
      // Otherwise the engine asks for the differences of one resource after another; some take a look at every proxy.
      PULUMI_PARALLEL_DIFF: process.env.PULUMI_PARALLEL_DIFF ?? "true",
      PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true", // a salt that only the state has
      PATH: [process.env.PATH, dirname(engine.path)].filter(Boolean).join(delimiter), // the person's Node comes first
    };
    return new Stack({ name, project, engine, backend, folder, env, config }, terminal);
  }

  /** Makes the stack in its backend. One that is there already is left as it is. */
  async create(): Promise<void> {
    forgetSalt(root, stateDir, this.name);
    const { code, stderr } = await this.run(["stack", "init", this.name, "--no-select"]);
    if (code !== 0 && !/already exists/.test(stderr)) throw this.#failure("stack init", stderr);
    this.noteBackend();
  }

  /** To be called once the backend has the stack, and before a process runs. */
  noteBackend(): void {
    noteBackend(backendNote(this.name), this.backend);
  }

  /** The stack's state; undefined when its backend does not know it. */
  async export(): Promise<Deployment | undefined> {
    const { code, stdout, stderr } = await this.run(["stack", "export", "--stack", this.name]);
    if (code === 0) return JSON.parse(stdout).deployment ?? {};
    if (/no stack named/.test(stderr)) return undefined;
    throw this.#failure("stack export", stderr);
  }

  /** The stack's state with its secrets in plain text, as `plaintext` below the mark of a secret. */
  async openState(): Promise<Deployment> {
    const { code, stdout, stderr } = await this.run(["stack", "export", "--stack", this.name, "--show-secrets"]);
    if (code !== 0) throw this.#failure("stack export", stderr);
    return JSON.parse(stdout).deployment ?? {};
  }

  /** Takes the stack, which has no resources any more, out of its backend. Its file in the clone stays. */
  async remove(): Promise<void> {
    const args = ["stack", "rm", this.name, "--yes", "--preserve-config", "--force"];
    const { code, stderr } = await this.run(args);
    if (code !== 0 && !/no stack named/.test(stderr)) throw this.#failure("stack rm", stderr);
  }

  /** Forgets operations that a killed run has left half-done: the `up` after it has dealt with them. */
  clearPendingOperations(): Promise<void> {
    return this.edit((deployment) => {
      if (!deployment.pending_operations?.length) return false;
      deployment.pending_operations = [];
      return true;
    });
  }

  /** Changes the stack's state. @param change false leaves it as it is */
  async edit(change: (deployment: Deployment) => boolean): Promise<void> {
    const { code, stdout, stderr } = await this.run(["stack", "export", "--stack", this.name]);
    if (code !== 0) throw this.#failure("stack export", stderr);
    const state = JSON.parse(stdout);
    if (!state.deployment || !change(state.deployment)) return;
    const file = join(this.folder, `import.${process.pid}.json`);
    try {
      writeWhole(file, JSON.stringify(state), 0o600);
      const done = await this.run(["stack", "import", "--stack", this.name, "--file", file]);
      if (done.code !== 0) throw this.#failure("stack import", done.stderr);
    } finally {
      rmSync(file, { force: true });
    }
  }

  /** Runs one command of the engine to its end. */
  run(args: string[]) {
    const env = { ...process.env, ...this.env };
    return exec(this.engine.path, [...args, "--non-interactive", "--color=never"], { cwd: this.folder, env });
  }

  #failure(command: string, stderr: string): UserError {
    return engineError(this, `pulumi ${command}`, stderr);
  }

  /**
   * Removes the locks that killed runs have left.
   * @param patienceMs how long the engine of a run that was killed may take to notice
   * @throws UserError when a living engine holds the stack
   */
  async unlock(patienceMs = 0): Promise<void> {
    const folder = backendFolder(this.backend);
    if (!folder) return; // Pulumi Cloud's locks expire by themselves
    let lock: EngineLock | undefined;
    const look = () => {
      const { notes, held } = clearStaleLocks(engineLocks(folder, this.project, this.name));
      for (const note of notes) this.#terminal.note(note);
      [lock] = held;
      if (!lock) return;
      if (lock.hostname !== hostname()) throw heldError(this.name, lock);
      return new NotYet(`Waiting for the engine of a run that was killed to end (pid ${lock.pid})`);
    };
    const late = () => {
      throw heldError(this.name, lock as EngineLock);
    };
    await poll(look, { timeoutMs: patienceMs, everyMs: 250, say: (why) => this.#terminal.note(why), late });
  }
}

/** The engine's own words as an error, with advice where it is known. */
export function engineError(
  { name, backend }: Pick<Stack, "name" | "backend">,
  what: string,
  stderr: string,
): UserError {
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^(error|warning): /, "").trimEnd())
    .filter((line) => line.trim() !== "");
  const text = lines.join("\n");
  const advice: string[] = [];
  if (/incorrect passphrase/.test(text))
    advice.push(
      `The secrets of stack ${name} were made with another passphrase than ${backend.ownPassphrase ? "the one in .meshup" : "PULUMI_CONFIG_PASSPHRASE(_FILE) gives"}. Set PULUMI_CONFIG_PASSPHRASE to the right one; or, when Pulumi.${name}.yaml holds no \`secure:\` value, remove its encryptionsalt line.`,
    );
  if (/pulumi login|PULUMI_ACCESS_TOKEN|\b401\b/.test(text))
    advice.push(
      `The backend is ${backend.url ?? "Pulumi's own choice"}, because ${backend.reason}. \`pulumi login\` mends a login; with PULUMI_BACKEND_URL set to another address, that one is used.`,
    );
  if (/failed to load checkpoint/.test(text))
    advice.push(`The state cannot be read: \`npm run destroy -- ${name}\` cleans up, and \`npm start\` begins anew.`);
  return new UserError([`${what} failed on stack ${name}:`, ...lines.map((line) => `  ${line}`), ...advice].join("\n"));
}

/** Takes a stack for a command that changes it, opens it, and gives it back at the end, whatever happens. */
export async function withStack<T>(
  name: string,
  command: string,
  terminal: Terminal,
  work: (stack: Stack) => Promise<T>,
): Promise<T> {
  requireStack(root, name);
  const { release, takenOver } = await takeStack(runLock(name), name, command);
  try {
    const stack = await Stack.open(name, terminal);
    await stack.unlock(takenOver ? 20_000 : 0);
    return await work(stack);
  } finally {
    release();
  }
}

/** Says which command works on a stack. */
export function runLock(stack: string): string {
  const folder = join(stateDir, "locks");
  makePrivateFolder(folder);
  return join(folder, `${stack}.json`);
}

/** @throws UserError when the stack was brought up in another backend than the one that is decided on now */
export function backendOf(stack: string, world: BackendWorld = defaultBackendWorld()): Backend {
  const backend = decideBackend(world);
  requireNotedBackend(backendNote(stack), stack, backend, world);
  return backend;
}

/** Beside the records of the stack's processes: it goes with them. */
function backendNote(stack: string): string {
  return join(stackDir(stack), "backend");
}

/** The state files of the backend in the clone, by stack. */
export function cloneStateFiles(): Map<string, string> {
  const folder = join(stateDir, "state", ".pulumi", "stacks");
  if (!existsSync(folder)) return new Map();
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".json"));
  return new Map(files.map((file) => [file.replace(/^.*\//, "").replace(/\.json$/, ""), join(folder, file)]));
}

/** The deployment in a state file; undefined when it cannot be read: cut short by a crash of the machine. */
export function readStateFile(path: string): Deployment | undefined {
  try {
    const { checkpoint } = JSON.parse(readFileSync(path, "utf8"));
    return typeof checkpoint === "object" ? (checkpoint.latest ?? {}) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A stack's state, to look at: in the clone it is read without an engine.
 * @returns undefined when there is none
 */
export async function readDeployment(name: string, terminal: Terminal): Promise<Deployment | undefined> {
  requireStack(root, name);
  if (backendOf(name).kind === "person") return (await Stack.open(name, terminal)).export();
  const file = cloneStateFiles().get(name);
  if (!file) return undefined;
  const deployment = readStateFile(file);
  if (!deployment)
    throw new UserError(`The state of stack ${name} cannot be read: ${file}. npm run destroy cleans up.`);
  return deployment;
}
