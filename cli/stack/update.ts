/** `up` and `destroy` through Pulumi's Automation API, with the program of index.ts in this very process. */
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineEvent, PulumiFn } from "@pulumi/pulumi/automation/index.js";
import type { Repair } from "../../components/cluster/repair.ts";
import { diskProblemIn, diskProblemsSaid, fullDisk } from "../../lib/disk.mjs";
import { DiskError, UserError } from "../../lib/errors.ts";
import { stackDir } from "../../lib/paths.ts";
import { type EngineCommand, openAutomation } from "../../lib/pulumi-insides.ts";
import { endOf } from "../../process/log-text.ts";
import { giveConfigItsName } from "../engine/config-name.ts";
import { Progress } from "../output/progress.ts";
import type { Terminal } from "../output/terminal.ts";
import { onSignals } from "../signals.ts";
import { backendFolder } from "./backend.ts";
import { removeKubeconfigCopies } from "./left-by-plugins.ts";
import { engineLocks, heldError } from "./locks.ts";
import { type Outputs, resolveOutputs } from "./outputs.ts";
import { engineError, type Stack } from "./stack.ts";

export interface UpdateResult {
  /** Number of resources by what was done: `same`, `create`, `update`, `replace`, `delete`. */
  changes: Record<string, number>;
  durationMs: number;
}

/** A run that the person has stopped; the command's exit code is 130. */
export class Interrupted extends UserError {}

export interface UpOptions {
  /** URNs (`**` stands for any text) of resources that stay as they are, with all that depends on them. */
  without?: string[];
  /** URNs of resources that are made anew, whatever the state says. */
  replace?: string[];
  /** What the program is to have mended. */
  repair?: Repair;
}

/**
 * Brings the stack up.
 * @returns with the program's outputs
 */
export async function up(
  stack: Stack,
  terminal: Terminal,
  { without = [], replace = [], repair }: UpOptions = {},
): Promise<UpdateResult & { outputs: Outputs }> {
  const program = new Program(repair);
  const progress = new Progress();
  const started = performance.now();
  const exclude = without.length > 0 ? { exclude: without, excludeDependents: true } : {};
  await drive(stack, terminal, program, progress, "up", { ...exclude, ...(replace.length > 0 && { replace }) });
  if (progress.sawPendingOperations) await stack.clearPendingOperations();
  return {
    changes: progress.changes,
    durationMs: performance.now() - started,
    outputs: (await program.outputs) as Outputs,
  };
}

/** Says what `up` would do, without doing it. */
export async function preview(stack: Stack, terminal: Terminal): Promise<UpdateResult> {
  const progress = new Progress();
  const started = performance.now();
  await drive(stack, terminal, new Program(), progress, "preview");
  return { changes: progress.changes, durationMs: performance.now() - started };
}

/** Brings the state of these resources (URNs) in line with the world: of what has gone, it knows no more. */
export async function refresh(stack: Stack, terminal: Terminal, target: string[]): Promise<void> {
  await drive(stack, terminal, new Program(), new Progress(), "refresh", { target });
}

/** Takes every resource of the stack down. */
export async function destroy(stack: Stack, terminal: Terminal): Promise<UpdateResult> {
  const progress = new Progress();
  const started = performance.now();
  await drive(stack, terminal, new Program(), progress, "destroy");
  return { changes: progress.changes, durationMs: performance.now() - started };
}

/** Runs the function of index.ts and keeps what it returned or threw: the engine gives us neither back unchanged. */
class Program {
  /** Complete once an `up` has ended well. */
  outputs: Promise<Outputs> | undefined;
  error: unknown;
  readonly #repair: Repair | undefined;
  #loading: Promise<[typeof import("../../index.ts"), typeof import("@pulumi/pulumi")]> | undefined;

  constructor(repair?: Repair) {
    this.#repair = repair;
  }

  /** Loads the program: best while the engine starts, which takes as long. */
  load() {
    this.#loading ??= Promise.all([import("../../index.ts"), import("@pulumi/pulumi")]);
    this.#loading.catch(() => {}); // `run` throws it
    return this.#loading;
  }

  readonly run: PulumiFn = async () => {
    try {
      const [{ default: main }, sdk] = await this.load();
      giveConfigItsName(sdk.runtime);
      const outputs = await main(this.#repair);
      this.outputs = resolveOutputs(outputs, sdk);
      this.outputs.catch(() => {}); // the engine says what has failed
      return outputs;
    } catch (error) {
      this.error = error;
      throw error;
    }
  };
}

type Kind = "up" | "preview" | "refresh" | "destroy";

async function drive(
  stack: Stack,
  terminal: Terminal,
  program: Program,
  progress: Progress,
  kind: Kind,
  more: { exclude?: string[]; excludeDependents?: boolean; replace?: string[]; target?: string[] } = {},
): Promise<void> {
  const engine = new EngineProcess(stack, terminal, () => (kind === "up" || kind === "preview") && program.load());
  const { name, folder, env } = stack;
  const automation = await openAutomation({ stack: name, folder, env, program: program.run, engine });

  const quiet = kind === "refresh"; // what it finds has been said
  const show = () => {
    for (const line of quiet ? [] : progress.lines(performance.now())) terminal.note(line);
    terminal.status(progress.status(performance.now()));
  };
  const onEvent = (event: EngineEvent) => {
    if (kind === "up" && event.preludeEvent) stack.noteBackend();
    progress.onEvent(event, performance.now());
    show();
  };
  const ticker = setInterval(show, 500);
  // What does not depend on what has failed goes on: the rest is changed and removed, and every error is told at once.
  const continueOnError = kind === "up";
  const options = { onEvent, color: "never", ...(continueOnError && { continueOnError }), ...more } as const;
  try {
    await automation[kind](options).catch(async (error) => {
      if (kind !== "up" || !(error instanceof EngineFailure && error.noSuchStack)) throw error;
      await stack.create();
      if (engine.interrupted) throw error;
      return automation.up(options);
    });
    if (engine.interrupted) throw new Interrupted(interruptedText(kind)); // the engine may call that a success
  } catch (error) {
    show();
    if (engine.interrupted) throw new Interrupted(interruptedText(kind));
    const disk = diskProblems(stack, [...progress.errors, engine.stderr].join("\n"));
    if (disk.length > 0) throw new DiskError(disk.join("\n"));
    if (error instanceof UserError) throw error; // the stack could not be made
    if (program.error instanceof UserError) throw program.error;
    if (error instanceof EngineFailure && error.locked) throw concurrentError(stack);
    if (progress.errors.length > 0) throw new UserError(progress.errors.join("\n"));
    throw program.error ?? engineError(stack, kind, engine.stderr || String(error));
  } finally {
    clearInterval(ticker);
    engine.dispose();
    removeKubeconfigCopies(join(stackDir(stack.name), "kubeconfig"), tmpdir());
  }
}

/** The engine's own words, and those of what it runs; on a full disk it may have found no room for them. */
function diskProblems(stack: Stack, said: string): string[] {
  const folders = [backendFolder(stack.backend), stack.folder].filter((folder) => folder !== undefined);
  const ours = diskProblemsSaid(said);
  const problem =
    ours.length > 0 ? undefined : (diskProblemIn(said, folders) ?? (said.trim() === "" && fullDisk(stack.folder)));
  return problem ? [problem] : ours;
}

function interruptedText(kind: Kind): string {
  if (kind === "preview") return "Stopped before the end. Nothing was changed.";
  return kind !== "destroy"
    ? "Stopped before the end. What was started runs on: `npm start` goes on from there, `npm run destroy` takes it down."
    : "Stopped before the end: `npm run destroy` goes on from there.";
}

/** Another engine was quicker by a moment. */
function concurrentError(stack: Stack): UserError {
  const folder = backendFolder(stack.backend);
  const [lock] = folder ? engineLocks(folder, stack.project, stack.name) : [];
  return lock
    ? heldError(stack.name, lock)
    : new UserError(`Another run on stack ${stack.name} is under way. Wait until it has ended; nothing was changed.`);
}

class EngineFailure extends Error {
  readonly noSuchStack: boolean;
  readonly locked: boolean;

  constructor(stderr: string) {
    super(stderr);
    this.noSuchStack = /no stack named .* found/.test(stderr);
    this.locked = /the stack is currently locked by|\[409\] Conflict: Another update/.test(stderr);
  }
}

/**
 * The engine as the Automation API calls it, in a process group of its own: Ctrl-C in a terminal goes
 * to a whole group, and an engine that gets it twice stops at once and leaves its work half-done.
 */
class EngineProcess implements EngineCommand {
  readonly command: string;
  readonly version: { toString(): string };
  stderr = "";
  #interrupts = 0;
  readonly #release: () => void;
  #kill: ((signal: NodeJS.Signals) => void) | undefined;
  readonly #onStarted: () => void;
  readonly #log: string;
  readonly #terminal: Terminal;

  /** @param onStarted called when the engine is on its way */
  constructor(stack: Stack, terminal: Terminal, onStarted: () => void) {
    this.#onStarted = onStarted;
    this.#log = join(stack.folder, "engine.log");
    this.command = stack.engine.path;
    this.version = { toString: () => stack.engine.version };
    this.#terminal = terminal;
    this.#release = onSignals(this.#onSignal);
    process.on("exit", this.#onExit);
  }

  get interrupted(): boolean {
    return this.#interrupts > 0;
  }

  dispose(): void {
    this.#release();
    process.off("exit", this.#onExit);
  }

  async run(
    args: string[],
    cwd: string,
    env: Record<string, string>,
  ): Promise<{ stdout: string; stderr: string; code: number }> {
    if (this.interrupted) throw new Error("stopped before the engine was started");
    // Its output goes to files, not pipes. If we are killed, the engine would die at its first write to a broken pipe,
    // and leave its lock and its providers. As it is, it notices that the program has gone, and ends in good order.
    const stderr = openSync(this.#log, "w", 0o600);
    const child = spawn(this.command, [...args, "--non-interactive"], {
      cwd,
      env: { ...process.env, ...env, PULUMI_AUTOMATION_API: "true" },
      detached: true,
      stdio: ["ignore", "ignore", stderr],
    });
    closeSync(stderr);
    child.once("spawn", this.#onStarted);
    this.#kill = (signal) => {
      if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    };
    const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
      child.on("error", reject);
      child.on("exit", (code, signal) => resolve([code, signal]));
    });
    this.stderr = endOf(this.#log, 1024 * 1024);
    this.#kill = undefined;
    if (code !== 0 && this.stderr.trim() === "")
      this.stderr = `The engine was ended by ${signal ?? `code ${code}`} and said nothing.`;
    if (code === 0) return { stdout: "", stderr: this.stderr, code };
    throw new EngineFailure(this.stderr);
  }

  readonly #onSignal = (_count: number, signal: NodeJS.Signals) => {
    if (signal === "SIGHUP") return; // the terminal has gone, and with it who reads; the work goes on to its end
    this.#interrupts++;
    if (this.#interrupts === 1)
      this.#terminal.note("Stopping: what is under way is brought to an end (Ctrl-C again: stop at once)");
    if (this.#interrupts === 2) this.#terminal.note("Stopping at once: what is under way is left as it is");
    this.#kill?.(this.#interrupts > 2 ? "SIGKILL" : "SIGINT"); // the engine's own two steps, then no more asking
  };

  readonly #onExit = () => this.#kill?.("SIGKILL");
}
