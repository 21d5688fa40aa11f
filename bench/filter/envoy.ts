import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startFiles } from "../../components/mesh/standalone/envoy.ts";
import { EnvoyAdmin } from "../../envoy/admin.ts";
import { discoveryResponse, type Resource } from "../../envoy/discovery.ts";
import { readSaid } from "../../envoy/log.ts";
import { UserError } from "../../lib/errors.ts";
import { freePort } from "../../test/ports.ts";
import { findThread, processMemory, threadCpu } from "./proc.ts";

const timeoutMs = 60_000;

/** A real Envoy with one worker, in a scratch folder, that is given listeners while it runs. */
export class BenchEnvoy {
  readonly #process: ChildProcess;
  readonly #scratch: string;
  readonly #admin: EnvoyAdmin;
  readonly #listeners: Resource[] = [];
  #ports = new Map<string, number>();
  #worker = 0;

  private constructor(process: ChildProcess, scratch: string, admin: EnvoyAdmin) {
    this.#process = process;
    this.#scratch = scratch;
    this.#admin = admin;
  }

  /**
   * @param path of Envoy
   * @param clusters that it has from the beginning
   */
  static async start(path: string, clusters: Resource[]): Promise<BenchEnvoy> {
    const scratch = await mkdtemp(join(tmpdir(), "meshup-bench-"));
    const directory = join(scratch, "xds");
    const adminPort = await freePort();
    await mkdir(directory);
    const files = {
      ...startFiles({ directory, adminPort }),
      [join(directory, "clusters.json")]: discoveryResponse(clusters),
    };
    for (const [file, text] of Object.entries(files)) await writeFile(file, text);
    const log = openSync(join(scratch, "envoy.log"), "a");
    const args = [
      "-c",
      join(directory, "bootstrap.json"),
      "--concurrency",
      "1",
      "--disable-hot-restart",
      "-l",
      "warning",
    ];
    // In a session of its own: Ctrl-C is ours, and we end it in good order.
    const child = spawn(path, args, { stdio: ["ignore", log, log], detached: true });
    closeSync(log);
    child.on("error", () => {}); // it has no pid then, which is told below
    const envoy = new BenchEnvoy(child, scratch, new EnvoyAdmin(`http://127.0.0.1:${adminPort}`));
    process.on("exit", envoy.#kill);
    try {
      await envoy.#until("start", async () => (await envoy.#stat("server.state")) === 0);
      envoy.#worker = findThread(envoy.pid, "wrk:worker_0");
    } catch (error) {
      await envoy.stop();
      throw error;
    }
    return envoy;
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  /** Nanoseconds that the worker has run; exact only while it has nothing to do. */
  workerCpu(): number {
    return threadCpu(this.pid, this.#worker);
  }

  /** Bytes that the process has to itself. */
  memory(): number {
    return processMemory(this.pid);
  }

  /** A counter's or gauge's value; 0 before there is one. */
  async counter(name: string): Promise<number> {
    return (await this.#stat(name)) ?? 0;
  }

  /**
   * Adds listeners to those it has, and waits until it listens.
   * @throws UserError with Envoy's own lines when it refuses one
   */
  async add(...listeners: Resource[]): Promise<void> {
    const refused = await this.counter(lds.rejected);
    this.#listeners.push(...listeners);
    const file = join(this.#scratch, "xds", "listeners.json");
    await writeFile(`${file}.new`, discoveryResponse(this.#listeners));
    await rename(`${file}.new`, file);
    await this.#until("take its listeners", async () => {
      this.#ports = await this.#admin.listenerPorts();
      if (listeners.every(({ name }) => this.#ports.has(name))) return true;
      if ((await this.counter(lds.rejected)) > refused) throw await this.failure("Envoy refuses its listeners.");
      return false;
    });
  }

  /** The port that Envoy has picked for a listener. */
  port(listener: string): number {
    const port = this.#ports.get(listener);
    if (port === undefined) throw new Error(`Envoy has no listener ${listener}`);
    return port;
  }

  /** An error with what Envoy has said last: its log goes with it. */
  async failure(message: string): Promise<UserError> {
    const { complaints, modules } = readSaid(join(this.#scratch, "envoy.log"), 0, { pid: this.pid });
    return new UserError([message, "Envoy has said:", ...complaints.slice(-10), ...modules].join("\n  "));
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    process.off("exit", this.#kill);
    const child = this.#process;
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL"); // it has nothing to save, and would wait for the streams that are held
      await ended;
    }
    await rm(this.#scratch, { recursive: true, force: true });
  }

  readonly #kill = () => void this.#process.kill("SIGKILL");

  async #stat(name: string): Promise<number | undefined> {
    const pattern = new RegExp(`^${name.replaceAll(".", "\\.")}$`);
    return (await this.#admin.stats(pattern).catch(() => undefined))?.get(name);
  }

  /** Without a pause between the questions: what it takes is measured. */
  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const end = performance.now() + timeoutMs;
    while (!(await condition())) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined)
        throw await this.failure("Envoy has ended.");
      if (performance.now() > end) throw await this.failure(`Envoy did not ${what} within ${timeoutMs / 1000} s.`);
      await sleep(1);
    }
  }
}

const lds = { rejected: "listener_manager.lds.update_rejected" };
