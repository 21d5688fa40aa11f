/** `meshup:local:PythonPackages`: a folder of packages for PYTHONPATH. */
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { inThisClone } from "../lib/clone.ts";
import { UserError } from "../lib/errors.ts";
import { writeWhole } from "../lib/files.ts";
import { root } from "../lib/paths.ts";
import { withLock } from "../process/lock.ts";
import { findPython, pipInstall, requireInstalled } from "./python.ts";
import type { ResourceType } from "./resource.ts";

export interface PythonPackagesInputs {
  /** A requirements file with a hash for every package (`pip install --require-hashes`). */
  requirements: string;
  /** sha256 of that file, so that Pulumi's diff shows a change of it. */
  hash: string;
  /** Folder to install into; it is replaced whole. */
  directory: string;
  /** Modules that must be there to import afterwards. */
  imports?: string[];
}

export interface PythonPackagesOutputs {
  /** Absolute path of the interpreter that the packages were installed for. */
  python: string;
  /** Absolute path of the folder, for PYTHONPATH. */
  path: string;
}

/** Written last into a folder that is complete. */
interface Marker {
  hash: string;
  python: string;
  /** Behind the links: `/usr/bin/python3` may be 3.11 today and 3.13 tomorrow, and compiled packages fit one only. */
  realPython: string;
}

export const pythonPackagesType: ResourceType<PythonPackagesInputs, PythonPackagesOutputs> = {
  inputs: { requirements: "ignore", hash: "update", directory: "replace", imports: "ignore" },
  id: ({ directory }) => directory,
  create: (inputs, { env }) => install(inputs, env),
  update: (_olds, news, { env }) => install(news, env),
  hasDrifted: async (olds) => !isInstalled(olds),
  read: async (state) => (isInstalled(state) ? { python: state.python, path: state.path } : undefined),
  // A folder that has moved with the clone is taken over as it is; one in another clone is not ours.
  delete: async ({ directory }) => {
    if (inThisClone(directory) === directory) await rm(resolve(root, directory), { recursive: true, force: true });
  },
};

/** Installs beside, then renames: a folder of that name is complete. One that is there already is kept. */
export function install(inputs: PythonPackagesInputs, env: NodeJS.ProcessEnv): Promise<PythonPackagesOutputs> {
  const path = resolve(root, inputs.directory);
  const requirements = resolve(root, inputs.requirements);
  return withLock(`${path}.lock`, async () => {
    const marker = readMarker(path);
    if (marker && isInstalled({ ...inputs, path, python: marker.python })) return { python: marker.python, path };
    if (!existsSync(requirements)) throw new UserError(`${requirements}: there is no such requirements file`);

    const python = await findPython(env);
    const beside = `${path}.new`;
    await rm(beside, { recursive: true, force: true });
    await mkdir(dirname(path), { recursive: true });
    try {
      await pipInstall(python, beside, ["--require-hashes", "-r", requirements], inputs.requirements, env);
      await requireInstalled(
        python,
        beside,
        wantedVersions(readFileSync(requirements, "utf8")),
        inputs.imports ?? [],
        env,
      );
      const done: Marker = { hash: inputs.hash, python: python.path, realPython: realpathSync(python.path) };
      writeWhole(join(beside, "meshup.json"), JSON.stringify(done));
      await rm(path, { recursive: true, force: true });
      await rename(beside, path);
    } finally {
      await rm(beside, { recursive: true, force: true });
    }
    return { python: python.path, path };
  });
}

/** The packages that every machine gets, by name; others are for some versions of Python only (`name==1.0 ; …`). */
export function wantedVersions(requirements: string): Record<string, string> {
  const lines = [...requirements.matchAll(/^([\w.-]+)(?:\[[^\]]*\])?==([^\s;\\]+)(\s*;)?/gm)];
  return Object.fromEntries(lines.flatMap(([, name, version, marker]) => (marker ? [] : [[name, version]])));
}

/** Whether the folder is complete, of the wanted requirements, and for the Python that is there now. */
function isInstalled({ hash, python, path }: PythonPackagesInputs & PythonPackagesOutputs): boolean {
  const marker = readMarker(path);
  if (!marker || marker.hash !== hash || marker.python !== python) return false;
  try {
    return realpathSync(python) === marker.realPython;
  } catch {
    return false; // that Python was removed
  }
}

function readMarker(path: string): Marker | undefined {
  try {
    return JSON.parse(readFileSync(join(path, "meshup.json"), "utf8"));
  } catch {
    return undefined;
  }
}
