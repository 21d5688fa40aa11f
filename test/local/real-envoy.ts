import { type ChildProcess, spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import type { Agent } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, vi } from "vitest";
import { startFiles } from "../../components/mesh/standalone/envoy.ts";
import { logArguments } from "../../envoy/log.ts";
import { type HttpResponse, httpRequest } from "../../lib/http.ts";
import { findEnvoy } from "../../provider/envoy-binary.ts";
import { freePorts } from "../ports.ts";

/** The real Envoy in a scratch folder, started empty as the local stack starts it. */
export class RealEnvoy {
  readonly scratch: string;
  readonly gateway: number;
  readonly admin: number;
  #process: ChildProcess | undefined;

  private constructor(scratch: string, gateway: number, admin: number) {
    this.scratch = scratch;
    this.gateway = gateway;
    this.admin = admin;
  }

  static async start(): Promise<RealEnvoy> {
    const scratch = await mkdtemp(join(tmpdir(), "meshup-envoy-"));
    const [gateway, admin] = (await freePorts(2)) as [number, number];
    await mkdir(join(scratch, "xds"));
    const envoy = new RealEnvoy(scratch, gateway, admin);
    await envoy.launch();
    return envoy;
  }

  /** The folder that it watches. */
  get directory(): string {
    return join(this.scratch, "xds");
  }

  get log(): string {
    return join(this.scratch, "envoy.log");
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  get runs(): boolean {
    return this.#process?.exitCode === null && this.#process.signalCode === null;
  }

  async launch(): Promise<void> {
    const { path } = await findEnvoy("1.40.0", { env: process.env, platform: process.platform, arch: process.arch });
    const files = startFiles({ directory: this.directory, adminPort: this.admin });
    for (const [file, text] of Object.entries(files)) await writeFile(file, text);
    const log = openSync(this.log, "a");
    const args = ["-c", join(this.directory, "bootstrap.json"), "--concurrency", "2", "--disable-hot-restart"];
    this.#process = spawn(path, [...args, "--component-log-level", "wasm:info", ...logArguments], {
      stdio: ["ignore", log, log],
    });
    const isReady = async () =>
      expect((await httpRequest({ url: `http://127.0.0.1:${this.admin}/ready` })).status).toBe(200);
    await vi.waitFor(isReady, { timeout: 20_000 });
  }

  async kill(): Promise<void> {
    const child = this.#process;
    if (!child || !this.runs) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill();
    await ended;
  }

  /** Ends it and removes its folder. */
  async stop(): Promise<void> {
    await this.kill();
    await rm(this.scratch, { recursive: true });
  }

  get(path: string, agent?: Agent): Promise<HttpResponse> {
    return httpRequest({ url: `http://127.0.0.1:${this.gateway}${path}`, agent });
  }

  /** A counter or gauge; undefined where Envoy has none of that name. */
  async stat(name: string): Promise<number | undefined> {
    const { body } = await httpRequest({ url: `http://127.0.0.1:${this.admin}/stats?filter=${name}` });
    const line = body.split("\n").find((line) => line.startsWith(`${name}: `));
    return line === undefined ? undefined : Number(line.slice(name.length + 2));
  }

  /** What modules have logged since `offset` bytes of the log, without Envoy's own part of the lines. */
  async moduleLogs(offset: number): Promise<string[]> {
    const text = (await readFile(this.log)).subarray(offset).toString("utf8");
    return [...text.matchAll(/\] wasm log[^:]*?(?:@sha256:[0-9a-f]+)?: (.*)$/gm)].map((match) => match[1] as string);
  }
}
