/** Finds the Pulumi engine: the `pulumi` command. What it takes to get one that is not there stands in get.ts. */
import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { lt, major, parse, rcompare, valid } from "semver";
import { CacheError } from "../../lib/cache.ts";
import { messageOf, UserError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { writeWhole } from "../../lib/files.ts";
import { cacheDir, stateDir } from "../../lib/paths.ts";
import { isExecutable } from "../../lib/programs.ts";
import { builtPath, type EngineWorld, engineVersion, oldestEngine, pulumiHome } from "./world.ts";

export interface Engine {
  /** Absolute path of the executable. */
  path: string;
  version: string;
  /** Whether its language host for Node is there too: `pulumi up` needs it, `npm start` does not. */
  languageHost: boolean;
}

export async function defaultEngineWorld(note: (line: string) => void): Promise<EngineWorld> {
  return {
    env: process.env,
    home: homedir(),
    cacheDir: cacheDir(),
    memory: join(stateDir, "engine.json"),
    note,
    fetchers: [
      { name: "npm's `pulumi` launcher", fetch: async (world) => (await import("./get.ts")).fetchByNpm(world) },
      { name: "its Go module", fetch: async (world) => (await import("./get.ts")).buildFromGo(world) },
    ],
  };
}

/**
 * The engine, from the first place that has a suitable one: PATH, Pulumi's own folder, what was built before, npm's
 * launcher, a build from its Go module.
 * @throws UserError with each way that was tried and its reason.
 */
export async function findEngine(world: EngineWorld): Promise<Engine> {
  const memory = new VersionMemory(world.memory);
  const tried: string[] = [];
  for (const [place, paths] of placesOf(world)) {
    const found: string[] = [];
    for (const path of paths) {
      const version = await memory.versionOf(path, world.env);
      const problem = version instanceof Error ? version.message : versionProblem(version);
      if (!problem && !(version instanceof Error)) return describe(path, version, world);
      found.push(`${path}: ${problem}`);
      world.note(`Passed over ${path}: ${problem}`);
    }
    tried.push(`${place}: ${found.length > 0 ? found.join("; ") : "there is no pulumi"}`);
  }
  let buildable = true;
  for (const { name, fetch } of world.fetchers) {
    try {
      const path = await fetch(world);
      const version = await memory.versionOf(path, world.env);
      if (version instanceof Error) throw version;
      return describe(path, version, world);
    } catch (error) {
      if (error instanceof CacheError) buildable = false;
      else if (error instanceof UserError) throw error; // the person has stopped it
      tried.push(`${name}: ${messageOf(error)}`);
    }
  }
  throw new UserError(
    [
      "The Pulumi engine was not found, and could not be fetched. Tried:",
      ...tried.map((line) => `  - ${line.replaceAll("\n", "\n    ")}`),
      `Install Pulumi ${oldestEngine} or newer (https://www.pulumi.com/docs/install/), or ${buildable ? "Go (https://go.dev/dl/)" : "set XDG_CACHE_HOME"} so that it can be built, and run the command again.`,
    ].join("\n"),
  );
}

/** Executables that are there already, by place, in order of preference. */
function placesOf(world: EngineWorld): [place: string, paths: string[]][] {
  const path = (world.env.PATH ?? "").split(delimiter).filter(Boolean);
  return [
    ["PATH", executables(path)],
    [pulumiHome(world), executables(homeFolders(pulumiHome(world)))],
    ["built before", executables([dirname(builtPath(world))])],
  ];
}

/** `bin`, then what npm's launcher has downloaded, newest first. */
function homeFolders(home: string): string[] {
  const versions = join(home, "versions");
  let names: string[] = [];
  try {
    names = readdirSync(versions).filter((name) => valid(name));
  } catch {
    // the launcher was never used
  }
  return [join(home, "bin"), ...names.sort(rcompare).map((name) => join(versions, name, "bin"))];
}

function executables(folders: string[]): string[] {
  return [...new Set(folders)].map((folder) => join(folder, "pulumi")).filter(isExecutable);
}

function describe(path: string, version: string, { env }: EngineWorld): Engine {
  // The engine looks beside itself, behind any link, and then on PATH.
  const folders = [dirname(path), dirname(realpathSync(path)), ...(env.PATH ?? "").split(delimiter).filter(Boolean)];
  const languageHost = folders.some((folder) => isExecutable(join(folder, "pulumi-language-nodejs")));
  return { path, version, languageHost };
}

/** Why a version will not do; undefined when it will. */
export function versionProblem(version: string): string | undefined {
  const parsed = parse(version);
  if (!parsed || lt(parsed, oldestEngine)) return `version ${version} is too old, ${oldestEngine} is needed`;
  const isSameMajor = parsed.major === major(engineVersion);
  return isSameMajor ? undefined : `version ${version} is of another major version than ${engineVersion}`;
}

/** Asks each executable for its version once; it is asked again when the file has changed. */
class VersionMemory {
  readonly #file: string;
  readonly #known: Record<string, { file: string; version: string }>;

  constructor(file: string) {
    this.#file = file;
    this.#known = readJson(file);
  }

  async versionOf(path: string, env: NodeJS.ProcessEnv): Promise<string | Error> {
    const real = realpathSync(path);
    const { mtimeMs, size } = statSync(real);
    const file = `${real} ${mtimeMs} ${size}`;
    const known = this.#known[path];
    if (known?.file === file) return known.version;
    const version = await askVersion(path, env);
    if (typeof version === "string") this.#remember(path, { file, version });
    return version;
  }

  #remember(path: string, entry: { file: string; version: string }): void {
    this.#known[path] = entry;
    try {
      writeWhole(this.#file, JSON.stringify(this.#known, null, 2));
    } catch {
      // It is asked again the next time.
    }
  }
}

async function askVersion(path: string, env: NodeJS.ProcessEnv): Promise<string | Error> {
  try {
    // A `pulumi` on PATH may be npm's launcher, which downloads the engine when it is first called.
    const quiet = { ...env, PULUMI_SKIP_UPDATE_CHECK: "true", PULUMI_HOME: join(stateDir, "pulumi-home") };
    const { code, stdout, stderr } = await exec(path, ["version"], { env: quiet, timeoutMs: 60_000 });
    const version = stdout
      .split("\n")
      .findLast((line) => valid(line))
      ?.trim();
    if (code === 0 && version) return version.replace(/^v/, "");
    const said = (stderr || stdout).trim().split("\n").at(-1);
    return new Error(
      code === null
        ? "`pulumi version` did not end"
        : `\`pulumi version\` ended with ${code}${said ? `: ${said}` : ""}`,
    );
  } catch (error) {
    return new Error(messageOf(error));
  }
}

function readJson(file: string): Record<string, { file: string; version: string }> {
  try {
    const value = JSON.parse(readFileSync(file, "utf8"));
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
