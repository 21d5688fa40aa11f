import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Document, parseDocument } from "yaml";
import { type ExecResult, exec } from "../../lib/exec.ts";
import { type HttpRequest, type HttpResponse, httpRequest } from "../../lib/http.ts";
import { root } from "../../lib/paths.ts";
import { identify } from "../../process/table.ts";
import { freePorts } from "../ports.ts";

/** What the names of scratch clones begin with, wherever this machine keeps temporary files. */
export const scratchPrefix = "meshup-clone-";
/** Names the process that made the clone. */
export const ownerFile = ".scratch-owner";

const portNames = ["gateway", "admin", "httpbin", "httpbin-two", "echo", "bursting-metrics"] as const;
export type PortName = (typeof portNames)[number];

export interface ClusterSettings {
  name: string;
  gatewayPort: number;
  registryPort: number;
  registryHost?: string;
}

/** A clone of the project as it stands, with ports of its own and dependencies already there; one stack in it. */
export class ScratchClone {
  readonly folder: string;
  readonly stack: string;
  /** The local stack's ports, or the gateway's alone. */
  readonly ports: Record<PortName, number>;

  private constructor(folder: string, stack: string, ports: Record<PortName, number>) {
    this.folder = folder;
    this.stack = stack;
    this.ports = ports;
  }

  /** @param name of the clone's folder, below one that nobody else has; default: that one itself */
  static async create(name = ""): Promise<ScratchClone> {
    return ScratchClone.#withOwnPorts(await copyOfTheProject(name));
  }

  /** A copy of this clone as it stands, with all that it has noted of what runs; it has ports of its own. */
  async copy(): Promise<ScratchClone> {
    const folder = `${this.folder}-copy`;
    await exec("cp", ["-a", this.folder, folder]);
    return ScratchClone.#withOwnPorts(folder);
  }

  /** The same clone in another place. */
  async move(): Promise<ScratchClone> {
    const folder = `${this.folder}-moved`;
    await rename(this.folder, folder);
    return new ScratchClone(folder, this.stack, this.ports);
  }

  static async #withOwnPorts(folder: string): Promise<ScratchClone> {
    const numbers = await freePorts(portNames.length);
    const ports = Object.fromEntries(portNames.map((name, i) => [name, numbers[i]])) as Record<PortName, number>;
    const clone = new ScratchClone(folder, "local", ports);
    await clone.configure((stack) => stack.setIn(["config", "meshup:ports"], ports));
    return clone;
  }

  /** With a stack in a kind cluster of its own. */
  static async inKind(stack: string, kind: ClusterSettings) {
    const ports = { gateway: kind.gatewayPort } as Record<PortName, number>;
    const clone = new ScratchClone(await copyOfTheProject(), stack, ports);
    await clone.configure((file) => file.setIn(["config", "meshup:kind"], kind));
    return clone;
  }

  /** The stack's configuration: Pulumi.STACK.yaml. */
  get stackFile(): string {
    return `Pulumi.${this.stack}.yaml`;
  }

  /** Changes the stack's configuration. */
  configure(change: (stack: Document) => void): Promise<void> {
    return this.edit(this.stackFile, (text) => {
      const stack = parseDocument(text);
      change(stack);
      return String(stack);
    });
  }

  async edit(file: string, change: (text: string) => string): Promise<void> {
    const path = join(this.folder, file);
    const before = await readFile(path, "utf8");
    const after = change(before);
    if (after === before) throw new Error(`${file}: nothing was changed`);
    await writeFile(path, after);
  }

  write(file: string, text: string): Promise<void> {
    return writeFile(join(this.folder, file), text);
  }

  read(file: string): Promise<string> {
    return readFile(join(this.folder, file), "utf8");
  }

  /** What `npm run COMMAND -- ARGUMENTS` runs. */
  run(args: string[], env: NodeJS.ProcessEnv = {}): Promise<ExecResult> {
    return exec(process.execPath, this.command(args), { cwd: this.folder, env: this.env(env) });
  }

  /** Node's arguments for a command. */
  command(args: string[]): string[] {
    return [join(this.folder, "cli", "bootstrap.mjs"), ...args];
  }

  /** The environment of a person who is not logged in anywhere. */
  env(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
    const { PULUMI_BACKEND_URL, PULUMI_CONFIG_PASSPHRASE, PULUMI_CONFIG_PASSPHRASE_FILE, VITEST, NODE_ENV, ...rest } =
      process.env;
    return { ...rest, ...more };
  }

  /** Runs a command with --json. @throws when it prints anything else, or fails */
  async json<T = Record<string, unknown>>(args: string[], env: NodeJS.ProcessEnv = {}): Promise<T> {
    const { code, stdout, stderr } = await this.run([...args, "--json"], env);
    if (code !== 0) throw new Error(`${args.join(" ")} ended with ${code}:\n${stdout}\n${stderr}`);
    return JSON.parse(stdout);
  }

  get(path: string, headers?: Record<string, string>): Promise<HttpResponse> {
    return this.request(path, { headers });
  }

  /** Through the gateway. */
  request(path: string, options: Pick<HttpRequest, "method" | "headers" | "body">): Promise<HttpResponse> {
    return httpRequest({ url: `http://localhost:${this.ports.gateway}${path}`, ...options });
  }

  /** Processes by name, as `npm run status` has them. */
  async processes(): Promise<Record<string, { pid: number; alive: boolean }>> {
    const { stdout } = await this.run(["status", "--json"]);
    const { processes } = JSON.parse(stdout) as { processes: { name: string; pid: number; alive: boolean }[] };
    return Object.fromEntries(processes.map(({ name, pid, alive }) => [name, { pid, alive }]));
  }

  /** Takes the stack down, whatever state it is in, and removes the clone. */
  async remove(): Promise<void> {
    const { code, stderr } = await this.run(["destroy", this.stack]);
    if (code !== 0) throw new Error(`destroy ended with ${code}:\n${stderr}`);
    await rm(this.folder, { recursive: true });
  }
}

async function copyOfTheProject(name = ""): Promise<string> {
  const folder = join(await mkdtemp(join(tmpdir(), scratchPrefix)), name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, ownerFile), JSON.stringify(identify(process.pid)));
  const { stdout } = await exec("git", ["ls-files", "-co", "--exclude-standard", "-z"], { cwd: root });
  for (const file of stdout.split("\0").filter(Boolean))
    await cp(join(root, file), join(folder, file)).catch((error) => {
      if (error.code !== "ENOENT") throw error; // deleted, but not yet in a commit
    });
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
  return folder;
}
