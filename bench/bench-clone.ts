import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { transform } from "esbuild";
import type { Document } from "yaml";
import type { Engine } from "../cli/engine/engine.ts";
import { Interrupted } from "../cli/stack/update.ts";
import { findContainers } from "../components/cluster/docker.ts";
import { UserError } from "../lib/errors.ts";
import { type ExecResult, exec } from "../lib/exec.ts";
import { holds } from "../lib/poll.ts";
import { containersOf, removeLeftovers } from "../test/e2e/leftovers.ts";
import { type ClusterSettings, ScratchClone } from "../test/local/scratch-clone.ts";

/** A command that ended well, seen from outside. */
export interface Timed {
  /** When it was started, by `performance.now()`. */
  started: number;
  /** Its wall clock, from before the process was there to after it had gone. */
  ms: number;
  stdout: string;
  /** What it said while it worked. */
  stderr: string;
}

const stack = "dev";

/** A clone of the project for a benchmark alone, and beside it the project of the empty program. */
export class BenchClone {
  readonly cluster: ClusterSettings;
  readonly #clone: ScratchClone;
  readonly #engine: Engine;
  readonly #signal: AbortSignal;

  private constructor(clone: ScratchClone, engine: Engine, fields: Pick<BenchClone, "cluster">, signal: AbortSignal) {
    this.cluster = fields.cluster;
    this.#clone = clone;
    this.#engine = engine;
    this.#signal = signal;
  }

  /** @param signal ends what runs, but not what takes it down */
  static async make(engine: Engine, cluster: ClusterSettings, signal: AbortSignal): Promise<BenchClone> {
    await removeLeftovers(cluster.name);
    const left = await findContainers(containersOf(cluster.name));
    if (left.length > 0)
      throw new UserError(
        `There is ${left.map(({ name }) => name).join(", ")}, which no benchmark has made. If nobody needs it, ${removalOf(cluster)}.`,
      );
    const clone = new BenchClone(await ScratchClone.inKind(stack, cluster), engine, { cluster }, signal);
    await clone.#makeEmptyProject();
    return clone;
  }

  get folder(): string {
    return this.#clone.folder;
  }

  /** What `npm start -- dev --json` runs. */
  start(env?: NodeJS.ProcessEnv): Promise<Timed> {
    return this.#run(this.#clone.command(["start", stack, "--json"]), env);
  }

  /** @returns the wall clock, and how many resources the preview speaks of */
  async preview(env?: NodeJS.ProcessEnv): Promise<Timed & { resources: number }> {
    const script = join(this.folder, "bench", "preview.ts");
    const timed = await this.#run(["--import", "tsx", script, stack], env);
    const { changes } = JSON.parse(timed.stdout) as { changes: Record<string, number> };
    return { ...timed, resources: Object.values(changes).reduce((sum, n) => sum + n, 0) };
  }

  emptyUp(): Promise<Timed> {
    return this.#run([join(this.folder, "bench", "empty-up.js"), this.#engine.path, this.#emptyFolder], this.#emptyEnv);
  }

  configure(change: (file: Document) => void): Promise<void> {
    return this.#clone.configure(change);
  }

  read(file: string): Promise<string> {
    return this.#clone.read(file);
  }

  write(file: string, text: string): Promise<void> {
    return this.#clone.write(file, text);
  }

  /** Takes cluster and registry down, be the run interrupted or not. */
  async destroy(): Promise<void> {
    const { code, stdout, stderr } = await this.#spawn(this.#clone.command(["destroy", stack]), {});
    if (code !== 0) throw new UserError(`${this.#byHand()}\nThe reason:\n${(stdout + stderr).trim()}`);
  }

  /** Takes everything down, and the clone away. */
  async remove(): Promise<void> {
    await this.destroy();
    await this.#removeLate();
    await rm(this.folder, { recursive: true });
  }

  /**
   * A kind that was stopped at work takes away what it has made, after the engine that knew of it has ended. Before us
   * there was nothing of these names: what is still there after a while is ours.
   */
  async #removeLate(): Promise<void> {
    const names = containersOf(this.cluster.name);
    const areGone = async () => (await findContainers(names)).length === 0;
    if (await holds(areGone, { timeoutMs: 60_000, everyMs: 1000 })) return;
    await exec("kind", ["delete", "cluster", "--name", this.cluster.name]);
    await exec("docker", ["rm", "--force", "--volumes", ...names]);
    if (!(await areGone())) throw new UserError(this.#byHand());
  }

  #byHand(): string {
    return `The benchmark's stack was not taken down. By hand: ${removalOf(this.cluster)}; then remove ${this.folder}.`;
  }

  get #emptyFolder(): string {
    return join(this.folder, ".bench-empty");
  }

  /** Nothing of the person's own: the state is in a file, as the stack's is. */
  get #emptyEnv(): NodeJS.ProcessEnv {
    return {
      PULUMI_BACKEND_URL: pathToFileURL(join(this.#emptyFolder, "state")).href,
      PULUMI_CONFIG_PASSPHRASE: "",
      PULUMI_HOME: join(this.#emptyFolder, "home"),
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS: "true",
    };
  }

  async #makeEmptyProject(): Promise<void> {
    await mkdir(join(this.#emptyFolder, "state"), { recursive: true });
    await writeFile(join(this.#emptyFolder, "Pulumi.yaml"), "name: empty\nruntime: nodejs\n");
    const built = await transform(await readFile(join(this.folder, "bench", "empty-up.ts"), "utf8"), { loader: "ts" });
    await writeFile(join(this.folder, "bench", "empty-up.js"), built.code);
    const env = this.#clone.env(this.#emptyEnv);
    const init = ["stack", "init", "empty", "--non-interactive"];
    const { code, stderr } = await exec(this.#engine.path, init, { cwd: this.#emptyFolder, env });
    if (code !== 0) throw new UserError(`the empty program's stack could not be made:\n${stderr}`);
  }

  async #run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Timed> {
    this.#signal.throwIfAborted();
    const started = performance.now();
    const { code, stdout, stderr } = await this.#spawn(args, env, this.#signal);
    const ms = performance.now() - started;
    if (this.#signal.aborted) throw this.#signal.reason ?? new Interrupted("Stopped.");
    if (code !== 0) throw new UserError(`node ${args.join(" ")} ended with ${code}:\n${(stdout + stderr).trim()}`);
    return { started, ms, stdout, stderr };
  }

  /** In a process group of its own: Ctrl-C in a terminal would reach it beside the one that we hand on. */
  #spawn(args: string[], env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<ExecResult> {
    const TMPDIR = join(this.folder, ".meshup", "tmp"); // as every command has it: tsx keeps there what it has transformed
    mkdirSync(TMPDIR, { recursive: true });
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, args, {
        cwd: this.folder,
        env: this.#clone.env({ TMPDIR, ...env }),
        detached: true,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const interrupt = () => child.kill("SIGINT");
      signal?.addEventListener("abort", interrupt, { once: true });
      const text = { stdout: "", stderr: "" };
      for (const stream of ["stdout", "stderr"] as const)
        child[stream].setEncoding("utf8").on("data", (chunk: string) => {
          text[stream] += chunk;
        });
      child.on("error", reject);
      child.on("close", (code) => {
        signal?.removeEventListener("abort", interrupt);
        resolve({ code, ...text });
      });
    });
  }
}

function removalOf({ name }: ClusterSettings): string {
  return `\`kind delete cluster --name ${name}\` and \`docker rm --force ${name}-registry\``;
}
