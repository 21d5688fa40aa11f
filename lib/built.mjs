/**
 * The project's TypeScript as JavaScript that Node loads by itself, in `.meshup/build/KEY/`: made anew whenever a source
 * has changed, in a quarter of a second. To load the sources through tsx takes a second more, in each process: every
 * module is asked for in another thread, and Kubernetes' client has eight hundred. Plain JavaScript, since it is loaded
 * as it is.
 */
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { diskProblem, diskProblemIn, makePrivateFolder } from "./disk.mjs";

const clone = dirname(dirname(fileURLToPath(import.meta.url)));

/** What is started by itself: a command, Pulumi's provider, the thread that tries modules. */
export const entries = ["cli/main.ts", "bench/commands.ts", "provider/main.ts", "host/preflight/worker.ts"];

/** Bundled with what uses it; other packages are loaded from node_modules. */
const bundled = "@kubernetes/client-node";

/** What was started by an earlier build may still load parts of it: builds go a day after they were used last. */
const keptMs = 24 * 3600 * 1000;

/** @type {Promise<string> | undefined} */
let built;

/**
 * Loads one of the entries, built.
 * @param {string} entry `cli/main.ts`
 * @returns its module
 */
export async function load(entry) {
  makePrivateFolder(join(clone, ".meshup")); // filters' secrets are in it
  built ??= build(clone, entries);
  const folder = await built;
  return import(String(pathToFileURL(join(folder, entry.replace(/\.ts$/, ".mjs")))));
}

/**
 * @param {string} root the clone
 * @param {string[]} entries relative to it
 * @returns {Promise<string>} the folder that they were built into
 */
export async function build(root, entries) {
  const all = join(root, ".meshup", "build");
  const folder = join(all, keyOf(root, entries));
  if (existsSync(folder)) {
    touch(folder);
    return folder;
  }
  const { build: esbuild } = await import("esbuild");
  const draft = join(all, `draft-${randomUUID()}`);
  try {
    await esbuild({
      absWorkingDir: root,
      entryPoints: entries,
      outdir: draft,
      outbase: root,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20",
      keepNames: true,
      sourcemap: true,
      sourcesContent: false,
      logLevel: "silent",
      plugins: [packagesStay, sourcesKnowWhereTheyAre],
    });
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (existsSync(folder)) return folder; // another was quicker
    if (diskOf(error) && makeRoom(all)) return build(root, entries);
    throw error;
  }
  prune(all);
  return folder;
}

/**
 * What a person can mend of an error of `load`, told without a stack: a source that esbuild refuses (it has a list of
 * errors), a clone that nobody may write to, a full disk. Undefined for any other error.
 */
export function mendableProblem(error) {
  return diskOf(error) ?? (Array.isArray(error?.errors) ? error.message : undefined);
}

/** esbuild tells of a full disk in words. */
function diskOf(error) {
  return diskProblem(error) ?? (error?.errors && diskProblemIn(String(error.message), [join(clone, ".meshup")]));
}

/** Another one for each state of the sources, by sizes and times, of what was installed, and for each place of the clone. */
function keyOf(root, entries) {
  const hash = createHash("sha256").update(JSON.stringify([process.version, root, entries]));
  for (const file of ["package-lock.json", "tsconfig.json", ...sourcesOf(root)]) {
    const { mtimeMs, size } = statSync(join(root, file));
    hash.update(`\0${file} ${mtimeMs} ${size}`);
  }
  return hash.digest("hex").slice(0, 16);
}

/** Every source that can be part of a build: in TypeScript but for the filters', which are AssemblyScript, and JavaScript. */
export function sourcesOf(root) {
  const others = new Set(["filter", "filters"]);
  const files = [];
  const visit = (folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = folder ? `${folder}/${entry.name}` : entry.name;
      if (entry.isDirectory()) {
        if (!/^\.|^node_modules$|^assembly$/.test(entry.name) && !others.has(path)) visit(path);
      } else if (/\.(ts|mjs)$/.test(entry.name) && !entry.name.endsWith(".test.ts")) files.push(path);
    }
  };
  visit("");
  return files.sort();
}

const packagesStay = {
  name: "packages stay where they are",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
      kind === "entry-point" || path.startsWith(`${bundled}/`) ? undefined : { path, external: true },
    );
    // Of the eight hundred modules that are made from Kubernetes' API, a kubeconfig file needs two.
    onLoad({ filter: new RegExp(`${bundled}/dist/gen/index\\.js$`) }, () => ({
      contents: 'export * from "./configuration.js"; export * from "./servers.js";',
    }));
  },
};

/** A file finds others beside itself, wherever it was built to. */
const sourcesKnowWhereTheyAre = {
  name: "sources know where they are",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      const url = JSON.stringify(String(pathToFileURL(path)));
      return { contents: text.replaceAll("import.meta.url", () => url), loader: "ts" };
    });
  },
};

function touch(folder) {
  const now = new Date();
  try {
    utimesSync(folder, now, now);
  } catch {
    // A disk that is read-only has it all the same.
  }
}

/** On a full disk the builds before this one go before their time. @returns whether there was any */
function makeRoom(all) {
  const names = existsSync(all) ? readdirSync(all) : [];
  for (const name of names) rmSync(join(all, name), { recursive: true, force: true });
  return names.length > 0;
}

/** As far as it goes: another command may be at it too. */
function prune(all) {
  for (const name of readdirSync(all)) {
    const folder = join(all, name);
    const { mtimeMs } = statSync(folder, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > keptMs) rmSync(folder, { recursive: true, force: true });
  }
}
