import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { EnvoyAdmin } from "../envoy/admin.ts";
import { discoveryResponse, type Resource } from "../envoy/discovery.ts";
import { UserError } from "../lib/errors.ts";
import type { ResourceType } from "./resource.ts";
import type { EnvoyConfigurationInputs } from "./types.ts";

/** The configuration of a running Envoy. Every change goes through a running Envoy and is judged by it. */
export const envoyConfigurationType: ResourceType<EnvoyConfigurationInputs, Record<string, never>> = {
  inputs: {
    directory: "replace",
    admin: "update",
    log: "ignore",
    process: "update",
    clusters: "update",
    listeners: "update",
    filters: "update",
  },
  id: ({ directory }) => directory,
  create: (inputs) => apply(inputs),
  update: (_olds, news) => apply(news),
  hasDrifted: async (_olds, news) => !(await isApplied(news)),
  delete: ({ directory }) => removeConfiguration(directory),
};

async function apply(inputs: EnvoyConfigurationInputs): Promise<Record<string, never>> {
  await applyConfiguration(inputs);
  return {};
}

/** Files by path below the folder; each holds one DiscoveryResponse. */
type Files = Map<string, string>;

const clustersFile = "clusters.json";
const listenersFile = "listeners.json";
const filterFile = (name: string) => join("filters", name, "config.json");

/**
 * Hands a configuration to a running Envoy, file by file, and waits until Envoy has taken each: clusters before the
 * routes that use them, filters before the listener that names them, and what is no longer used last.
 * What Envoy refuses is taken back: it goes on with what it had.
 *
 * @throws UserError with Envoy's own lines.
 */
export async function applyConfiguration(inputs: EnvoyConfigurationInputs, timeoutMs = 20_000): Promise<void> {
  const before = await readFiles(inputs.directory);
  const change = new Change(inputs, before, timeoutMs);
  try {
    await change.clusters([...resourcesOf(before.get(clustersFile)), ...inputs.clusters]);
    for (const [name, filter] of Object.entries(inputs.filters)) await change.filter(name, filter.resource);
    await change.listeners(inputs.listeners);
    await change.clusters(inputs.clusters);
    await removeUnused(inputs, before);
  } catch (error) {
    await change.takeBack(before);
    throw error;
  }
}

/** Takes listeners and clusters away from an Envoy that goes on running, or from one that has ended. */
export async function removeConfiguration(directory: string): Promise<void> {
  for (const file of [listenersFile, clustersFile]) await replaceFile(join(directory, file), discoveryResponse([]));
  await rm(join(directory, "filters"), { recursive: true, force: true });
}

/** Whether the files say what they were made to say: somebody may have changed or removed them. */
export async function isApplied(inputs: EnvoyConfigurationInputs): Promise<boolean> {
  const found = await readFiles(inputs.directory).catch(() => new Map<string, string>());
  const wanted: Files = new Map([
    [clustersFile, discoveryResponse(inputs.clusters)],
    [listenersFile, discoveryResponse(inputs.listeners)],
    ...Object.entries(inputs.filters).map(([name, f]) => [filterFile(name), discoveryResponse([f.resource])] as const),
  ]);
  return found.size === wanted.size && [...wanted].every(([path, text]) => found.get(path) === text);
}

/** One change of configuration, under way. */
class Change {
  readonly #inputs: EnvoyConfigurationInputs;
  readonly #files: Files;
  readonly #admin: EnvoyAdmin;
  readonly #timeoutMs: number;
  readonly #newFilters: string[] = [];

  constructor(inputs: EnvoyConfigurationInputs, before: Files, timeoutMs: number) {
    this.#inputs = inputs;
    this.#files = new Map(before);
    this.#admin = new EnvoyAdmin(inputs.admin);
    this.#timeoutMs = timeoutMs;
  }

  async clusters(resources: Resource[]): Promise<void> {
    const byName = [...new Map(resources.map((r) => [r.name, r])).values()];
    await this.#write(
      clustersFile,
      byName,
      "its clusters",
      /^cluster_manager\.cds\.update_(success|rejected|failure)$/,
    );
  }

  async filter(name: string, resource: Resource): Promise<void> {
    // Listeners that drain keep a filter alive, too. One that is not read yet is judged together with its listener.
    const known = (await this.#admin.configDump("ecds_filters")).some((f) => nameOf(f.ecds_filter) === name);
    if (!known) this.#newFilters.push(name);
    await this.#write(filterFile(name), [resource], `filter "${name}"`, known ? filterStats(name) : undefined);
  }

  async listeners(resources: Resource[]): Promise<void> {
    const log = await this.#logEnd();
    const refusedBefore = await this.#refusals();
    const added = this.#newFilters.map((name) => `"${name}"`).join(", ");
    const what = added ? `its listener with the new filter ${added}` : "its listener";
    await this.#write(listenersFile, resources, what, /^listener_manager\.lds\.update_(success|rejected|failure)$/);
    await this.#until("take its listener", async () => {
      // A listener waits for its filters: one that is refused would keep it waiting.
      const refused = [...(await this.#refusals())].some(([name, n]) => n > (refusedBefore.get(name) ?? 0));
      if (refused) throw await this.#refusal(what, log);
      return this.#serves(resources);
    });
    if (startFailures(await this.#logSince(log)).length > 0) throw await this.#refusal(what, log);
  }

  /**
   * Puts the files back as they were and waits until Envoy has seen it. Filters go last, as the listener must not name
   * what is gone.
   */
  async takeBack(before: Files): Promise<void> {
    const { directory } = this.#inputs;
    const now = await readFiles(directory);
    const old: Files = new Map([
      [listenersFile, discoveryResponse([])],
      [clustersFile, discoveryResponse([])],
      ...before,
    ]);
    for (const path of [listenersFile, ...old.keys()]) {
      const text = old.get(path) as string;
      if (now.get(path) !== text) await replaceFile(join(directory, path), text);
      now.set(path, text);
    }
    const listeners = resourcesOf(old.get(listenersFile));
    await this.#until("go back", () => this.#serves(listeners)).catch(() => {}); // it may be what has ended
    for (const path of now.keys()) if (!old.has(path)) await rm(join(directory, path), { force: true });
  }

  /**
   * Whether Envoy has just these listeners, none of them waiting for anything. A listener that was changed in place
   * keeps its old version in the dump, so that versions say nothing.
   */
  async #serves(resources: Resource[]): Promise<boolean> {
    const listeners = await this.#admin.configDump("dynamic_listeners");
    if (listeners.some((l) => l.warming_state)) return false;
    const active = listeners.filter((l) => l.active_state).map(({ name }) => name as string);
    return isDeepStrictEqual(new Set(active), new Set(resources.map(({ name }) => name)));
  }

  /** Writes one file, and where `stats` tells how often Envoy has read it, waits for its verdict. */
  async #write(path: string, resources: Resource[], what: string, stats?: RegExp): Promise<void> {
    const text = discoveryResponse(resources);
    if (this.#files.get(path) === text) return;
    const log = await this.#logEnd();
    const before = stats && (await this.#admin.stats(stats));
    await replaceFile(join(this.#inputs.directory, path), text);
    this.#files.set(path, text);
    if (!stats || !before) return;
    await this.#until(`read ${what}`, async () => {
      const now = await this.#admin.stats(stats);
      const grown = [...now].filter(([name, n]) => n > (before.get(name) ?? 0)).map(([name]) => name);
      if (grown.some((name) => !name.endsWith("success"))) throw await this.#refusal(what, log);
      return grown.length > 0;
    });
    if (startFailures(await this.#logSince(log)).length > 0) throw await this.#refusal(what, log);
  }

  /** How often each filter's configuration was refused so far, by the counter's name. */
  #refusals(): Promise<Map<string, number>> {
    return this.#admin.stats(/^extension_config_discovery\.http_filter\..*\.update_rejected$/);
  }

  async #until(what: string, condition: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + this.#timeoutMs;
    while (!(await condition())) {
      if (Date.now() > end)
        throw new UserError(`Envoy did not ${what} within ${this.#timeoutMs / 1000} s. Its log: ${this.#inputs.log}`);
      await sleep(20);
    }
  }

  async #refusal(what: string, since: number): Promise<UserError> {
    const lines = complaints(await this.#logSince(since));
    return new UserError(
      [
        `Envoy refuses ${what}, and goes on with what it had. It says:`,
        ...lines.map((line) => `  ${line}`),
        `Its log: ${this.#inputs.log}`,
      ].join("\n"),
    );
  }

  async #logEnd(): Promise<number> {
    const file = await open(this.#inputs.log).catch(() => undefined);
    const size = (await file?.stat())?.size ?? 0;
    await file?.close();
    return size;
  }

  async #logSince(offset: number): Promise<string> {
    return (await readFile(this.#inputs.log).catch(() => Buffer.alloc(0))).subarray(offset).toString("utf8");
  }
}

function filterStats(name: string): RegExp {
  return new RegExp(`^extension_config_discovery\\.http_filter\\.${name}\\.update_(success|rejected|failure)$`);
}

/**
 * Lines that say that a module's start failed. Envoy accepts the configuration of a filter that traps before
 * proxy_on_configure, so that its verdict alone is not enough.
 */
function startFailures(log: string): string[] {
  const start =
    /Function: (_start|_initialize|main|proxy_on_context_create|proxy_on_vm_start|proxy_on_configure) failed/;
  return log.split("\n").filter((line) => start.test(line) || /\[critical\]\[wasm\]/.test(line));
}

/** What Envoy complains of, each once, without time and thread: `[error][wasm] Function: … failed: …`. */
export function complaints(log: string): string[] {
  const lines = log.split("\n").flatMap((line) => {
    const match = /^\[[^\]]*\]\[\d+\]\[(warning|error|critical)\]\[([\w.]+)\] (?:\[[^\]]*\] )?(.*)$/.exec(line);
    return match ? [`[${match[1]}][${match[2]}] ${match[3]}`] : [];
  });
  return [...new Set(lines)];
}

function nameOf(resource: unknown): unknown {
  return (resource as { name?: string } | undefined)?.name;
}

function resourcesOf(text: string | undefined): Resource[] {
  return text ? (JSON.parse(text) as { resources: Resource[] }).resources : [];
}

async function readFiles(directory: string): Promise<Files> {
  const names = await readdir(join(directory, "filters")).catch(() => []);
  const paths = [clustersFile, listenersFile, ...names.map(filterFile)];
  const read = await Promise.all(
    paths.map(async (path) => [path, await readFile(join(directory, path), "utf8").catch(() => undefined)] as const),
  );
  return new Map(read.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function replaceFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

/** Only files: Envoy goes on watching a filter's folder for as long as an old listener drains. */
async function removeUnused(inputs: EnvoyConfigurationInputs, before: Files): Promise<void> {
  const used = new Set(Object.keys(inputs.filters).map(filterFile));
  const unused = [...before.keys()].filter((path) => path.startsWith("filters/") && !used.has(path));
  for (const path of unused) await rm(join(inputs.directory, path), { force: true });
}
