import { existsSync } from "node:fs";
import { readdir, readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { discoveryResponse, type Resource } from "../envoy/discovery.ts";
import { readSaid, type Said } from "../envoy/log.ts";
import { RunningEnvoy } from "../envoy/running.ts";
import { inThisClone } from "../lib/clone.ts";
import { UserError } from "../lib/errors.ts";
import { makePrivateFolder, writeWhole } from "../lib/files.ts";
import { putAside } from "../process/log.ts";
import { logSize } from "../process/log-text.ts";
import type { Context, ResourceType } from "./resource.ts";

export interface EnvoyConfigurationInputs {
  /** Absolute path of the folder that Envoy watches. */
  directory: string;
  /** Envoy's admin interface: `http://127.0.0.1:9901`. */
  admin: string;
  /** Envoy's log file. */
  log: string;
  /** Identifies the Envoy process. A restarted Envoy gets the configuration again. */
  process: string;
  clusters: Resource[];
  listeners: Resource[];
  /** By name; the digest is the module's sha256, so that Pulumi's diff shows which filter changed. */
  filters: Record<string, { digest: string; resource: Resource }>;
}

/** The configuration of a running Envoy. Every change is sent to that Envoy, which accepts or rejects it. */
export const envoyConfigurationType: ResourceType<EnvoyConfigurationInputs, object> = {
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
  create: (inputs, context) => apply(inputs, context),
  update: (_olds, news, context) => apply(news, context),
  hasDrifted: async (_olds, news) => !(await isApplied(news)),
  delete: ({ directory }) => removeConfiguration(inThisClone(directory)),
};

async function apply(inputs: EnvoyConfigurationInputs, context: Context): Promise<object> {
  await applyConfiguration(inputs, context);
  return {};
}

/** Files by path below the folder; each holds one DiscoveryResponse. */
type Files = Map<string, string>;

const clustersFile = "clusters.json";
const listenersFile = "listeners.json";
const filterFile = (name: string) => join("filters", name, "config.json");

/**
 * Gives a configuration to a running Envoy, file by file, and waits until Envoy has accepted each file. Clusters come
 * before the routes that use them, filters before the listener that names them. Unused files are removed last. If Envoy
 * rejects a change, the change is undone and Envoy keeps its previous configuration.
 *
 * @throws UserError with Envoy's own log lines; if Envoy ends meanwhile; if its log cannot be read
 */
export async function applyConfiguration(
  inputs: EnvoyConfigurationInputs,
  context: Partial<Pick<Context, "signal" | "say">> = {},
): Promise<void> {
  const before = await readFiles(inputs.directory);
  const change = new Change(inputs, before, context);
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

/** Removes listeners and clusters. Envoy may still run, or may have ended. */
export async function removeConfiguration(directory: string): Promise<void> {
  if (!existsSync(directory)) return; // the clone has been moved: its Envoy has ended by another way
  for (const file of [listenersFile, clustersFile]) await replaceFile(join(directory, file), discoveryResponse([]));
  await rm(join(directory, "filters"), { recursive: true, force: true });
}

/** Tells whether the files still have their intended content. Someone may have changed or removed them. */
export async function isApplied(inputs: EnvoyConfigurationInputs): Promise<boolean> {
  const found = await readFiles(inputs.directory).catch(() => new Map<string, string>());
  const wanted: Files = new Map([
    [clustersFile, discoveryResponse(inputs.clusters)],
    [listenersFile, discoveryResponse(inputs.listeners)],
    ...Object.entries(inputs.filters).map(([name, f]) => [filterFile(name), discoveryResponse([f.resource])] as const),
  ]);
  return found.size === wanted.size && [...wanted].every(([path, text]) => found.get(path) === text);
}

/** Time for an Envoy that answers to read a file and apply it. */
const patienceMs = 20_000;
/** Counters of rejected filter configurations. */
const filterRefusals = /^extension_config_discovery\.http_filter\..*\.update_rejected$/;
/** Counter of the log bytes that Envoy has not written yet. */
const unwritten = /^filesystem\.write_total_buffered$/;

/** One change of the configuration, in progress. */
class Change {
  readonly #inputs: EnvoyConfigurationInputs;
  readonly #files: Files;
  readonly #envoy: RunningEnvoy;
  readonly #newFilters: string[] = [];

  constructor(inputs: EnvoyConfigurationInputs, before: Files, context: Partial<Pick<Context, "signal" | "say">>) {
    this.#inputs = inputs;
    this.#files = new Map(before);
    const { admin, process, log: path } = inputs;
    putAside(path); // one that is full would miss what Envoy says of this change
    this.#envoy = new RunningEnvoy({ admin, process, log: { path, offset: logSize(path) }, ...context });
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
    // Draining listeners keep a filter alive, too. A filter that Envoy has not read yet is checked with its listener.
    const known = (await this.#envoy.admin.configDump("ecds_filters")).some((f) => nameOf(f.ecds_filter) === name);
    if (!known) this.#newFilters.push(name);
    await this.#write(filterFile(name), [resource], `filter "${name}"`, known ? filterStats(name) : undefined, [name]);
  }

  async listeners(resources: Resource[]): Promise<void> {
    const since = logSize(this.#inputs.log);
    const refusedBefore = await this.#envoy.admin.stats(filterRefusals);
    const added = this.#newFilters.map((name) => `"${name}"`).join(", ");
    const what = added ? `its listener with the new filter ${added}` : "its listener";
    const lds = /^listener_manager\.lds\.update_(success|rejected|failure)$/;
    await this.#write(listenersFile, resources, what, lds, this.#newFilters);
    await this.#envoy.until("take its listener", patienceMs, async () => {
      // A listener waits for its filters. A rejected filter would keep it waiting.
      const refusals = await this.#envoy.admin.stats(filterRefusals);
      if (grown(refusedBefore, refusals).length > 0) throw await this.#refusal(what, since, this.#newFilters);
      return this.#serves(resources);
    });
    await this.#mustHaveStarted(what, since, this.#newFilters);
  }

  /**
   * Restores the previous files and waits until Envoy has read them. Filters are removed last, because the listener
   * must not name a filter that no longer exists.
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
    await this.#envoy.until("go back", patienceMs, () => this.#serves(listeners)).catch(() => {}); // it may be what has ended
    for (const path of now.keys()) if (!old.has(path)) await rm(join(directory, path), { force: true });
  }

  /**
   * Tells whether Envoy has exactly these listeners, and none of them is warming. A listener that is changed in place
   * keeps its old version in the dump, so versions cannot be compared.
   */
  async #serves(resources: Resource[]): Promise<boolean> {
    const listeners = await this.#envoy.admin.configDump("dynamic_listeners");
    if (listeners.some((l) => l.warming_state)) return false;
    const active = listeners.filter((l) => l.active_state).map(({ name }) => name as string);
    return isDeepStrictEqual(new Set(active), new Set(resources.map(({ name }) => name)));
  }

  /**
   * Writes one file. If `stats` counts how often Envoy has read it, waits until Envoy accepts or rejects it.
   * @param filters the filters that the file is about
   */
  async #write(
    path: string,
    resources: Resource[],
    what: string,
    stats?: RegExp,
    filters: string[] = [],
  ): Promise<void> {
    const text = discoveryResponse(resources);
    if (this.#files.get(path) === text) return;
    const since = logSize(this.#inputs.log);
    const before = stats && (await this.#envoy.admin.stats(stats));
    await replaceFile(join(this.#inputs.directory, path), text);
    this.#files.set(path, text);
    if (!stats || !before) return;
    await this.#envoy.until(`read ${what}`, patienceMs, async () => {
      const verdicts = grown(before, await this.#envoy.admin.stats(stats));
      if (verdicts.some((name) => !name.endsWith("success"))) throw await this.#refusal(what, since, filters);
      return verdicts.length > 0;
    });
    await this.#mustHaveStarted(what, since, filters);
  }

  /** Envoy accepts the configuration of a module that traps before proxy_on_configure. Only its log shows the trap. */
  async #mustHaveStarted(what: string, since: number, filters: string[]): Promise<void> {
    if ((await this.#said(since, filters)).startFailed) throw await this.#refusal(what, since, filters);
  }

  async #refusal(what: string, since: number, filters: string[]): Promise<UserError> {
    const { complaints, modules } = await this.#said(since, filters);
    return new UserError(
      [
        `Envoy refuses ${what}, and goes on with what it had. It says${complaints.length > 0 ? ":" : " nothing of why."}`,
        ...complaints.map((line) => `  ${line}`),
        ...(modules.length > 0 ? ["The module said:", ...modules.map((line) => `  ${line}`)] : []),
        `Its log: ${this.#inputs.log}`,
      ].join("\n"),
    );
  }

  /**
   * Returns what Envoy has logged after the first `since` bytes of its log. Envoy writes a line with a short delay. If
   * Envoy logs continuously, the wait for this delay is short.
   */
  async #said(since: number, filters: string[]): Promise<Said> {
    const isWritten = async () =>
      [...(await this.#envoy.admin.stats(unwritten)).values()].every((bytes) => bytes === 0);
    await this.#envoy.until("write its log", 300, isWritten).catch(() => {});
    return readSaid(this.#inputs.log, since, { pid: this.#envoy.pid, filters });
  }
}

function filterStats(name: string): RegExp {
  return new RegExp(`^extension_config_discovery\\.http_filter\\.${name}\\.update_(success|rejected|failure)$`);
}

/** Returns the names of the counters that have increased. */
function grown(before: Map<string, number>, now: Map<string, number>): string[] {
  return [...now].filter(([name, n]) => n > (before.get(name) ?? 0)).map(([name]) => name);
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
  makePrivateFolder(dirname(path));
  writeWhole(path, text, 0o600); // it may have secrets of a filter's
}

/** Removes files only: Envoy watches a filter's folder as long as an old listener drains. */
async function removeUnused(inputs: EnvoyConfigurationInputs, before: Files): Promise<void> {
  const used = new Set(Object.keys(inputs.filters).map(filterFile));
  const unused = [...before.keys()].filter((path) => path.startsWith("filters/") && !used.has(path));
  for (const path of unused) await rm(join(inputs.directory, path), { force: true });
}
