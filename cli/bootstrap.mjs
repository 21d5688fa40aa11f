/**
 * What every npm script runs, by way of bootstrap.cjs. Plain JavaScript without dependencies, because it is
 * what installs them. It ends in cli/main.ts, built.
 */
import { spawn } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { load, mendableProblem } from "../lib/built.mjs"; // needs what is installed only once it builds
import { diskProblemIn, withPath } from "../lib/disk.mjs";
import { keepLoopbackDirect, npmEnvironment, npmFlags, quietChildren } from "../lib/environment.mjs";

const clone = dirname(dirname(fileURLToPath(import.meta.url)));
const oldestNode = [20, 20];

/** @returns what is wrong with this version of Node, or undefined */
export function nodeProblem(version) {
  const [major, minor] = version.split(".").map(Number);
  if (major > oldestNode[0] || (major === oldestNode[0] && minor >= oldestNode[1])) return undefined;
  return `meshup needs Node ${oldestNode.join(".")} or newer; this is ${version} (${process.execPath}). Install a newer one from https://nodejs.org or with your version manager, and run the command again.`;
}

/** Why dependencies must be installed in `folder`; undefined when they are there, made from this very lock file. */
export function installReason(folder) {
  const modules = join(folder, "node_modules");
  if (!existsSync(modules)) return "there is no node_modules";
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  if (readStamp(folder) === hashOf(lock)) return undefined;
  if (!isInstalledFrom(lock, join(modules, ".package-lock.json")))
    return "node_modules is not what package-lock.json says";
  writeStamp(folder, lock); // somebody's own `npm ci` or `npm install`
  return undefined;
}

/** Whether npm's own note of what it has installed agrees with the lock file. npm writes that note last. */
function isInstalledFrom(lock, notePath) {
  const installed = readNote(notePath);
  const wanted = JSON.parse(lock).packages;
  const same = (a, b) => a.version === b.version && a.integrity === b.integrity;
  return (
    installed !== undefined &&
    Object.entries(installed).every(([path, is]) => wanted[path] && same(wanted[path], is)) &&
    missingPackages(lock, notePath).length === 0
  );
}

/** What the lock file wants for this machine and npm has not installed. */
function missingPackages(lock, notePath) {
  const installed = readNote(notePath) ?? {};
  const wanted = Object.entries(JSON.parse(lock).packages).filter(([path, should]) => path !== "" && isNeeded(should));
  return wanted.map(([path]) => path).filter((path) => !installed[path]);
}

/** An optional package is one for some machines, which its name tells to npm, or one that may fail to be built. */
function isNeeded({ optional, os, cpu, libc }) {
  if (!optional) return true;
  return !libc && Boolean(os?.includes(process.platform)) && Boolean(cpu?.includes(process.arch));
}

function readNote(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8")).packages;
  } catch {
    return undefined;
  }
}

function missingFailure(missing) {
  const names = [...new Set(missing.map((path) => path.replace(/^.*node_modules\//, "")))];
  const some = `${names.slice(0, 5).join(", ")}${names.length > 5 ? ` and ${names.length - 5} more` : ""}`;
  return [
    `npm ci says that it has installed everything, but there is no ${some}.`,
    "A setting of npm's may leave packages out: look at `npm config ls`, and run the command again.",
  ].join("\n");
}

const stampPath = (folder) => join(folder, "node_modules", ".meshup-lock");
const hashOf = (text) => createHash("sha256").update(text).digest("hex");

function readStamp(folder) {
  try {
    return readFileSync(stampPath(folder), "utf8");
  } catch {
    return undefined;
  }
}

function writeStamp(folder, lock) {
  withPath(stampPath(folder), () => writeFileSync(stampPath(folder), hashOf(lock)));
}

/** Installs dependencies unless they are there. Two at once: the second waits, and finds them there. */
export async function ensureDependencies(folder) {
  if (!installReason(folder)) return;
  const release = await takeLock(join(folder, ".meshup", "install.lock"));
  try {
    const reason = installReason(folder);
    if (reason) await install(folder, reason);
  } finally {
    release();
  }
}

async function install(folder, reason) {
  const lock = readFileSync(join(folder, "package-lock.json"), "utf8");
  say(`Installing dependencies with npm ci (${reason})`);
  const started = Date.now();
  const seconds = () => Math.round((Date.now() - started) / 1000);
  const ticker = setInterval(() => say(`  npm ci: ${seconds()} s`), 15_000);
  const { code, signal, stderr } = await npmCi(folder).finally(() => clearInterval(ticker));
  if (signal) throw new Mendable(`npm ci was stopped (${signal}).`);
  const full = code === 0 ? undefined : diskProblemIn(stderr, [folder, npmCache(), tmpdir()]);
  if (code !== 0) throw new Mendable(full ?? installFailure(stderr, code));
  const missing = missingPackages(lock, join(folder, "node_modules", ".package-lock.json"));
  if (missing.length > 0) throw new Mendable(missingFailure(missing));
  writeStamp(folder, lock); // last: what was killed half-way has no stamp
  say(`  dependencies installed in ${seconds()} s`);
}

/** Where npm writes beside node_modules, unless it is set up otherwise. */
const npmCache = () => process.env.npm_config_cache ?? join(homedir(), ".npm");

/** npm's own settings make some ten minutes of a network that is not there. */
const fewRetries = ["--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=3000"];

/** @returns {Promise<{code: number | null, signal: string | null, stderr: string}>} */
function npmCi(folder) {
  const npm = process.env.npm_execpath?.endsWith(".js") ? [process.execPath, process.env.npm_execpath] : ["npm"];
  const quiet = ["--no-audit", "--no-fund", "--no-progress", "--loglevel=error"];
  const args = [...npm.slice(1), "ci", ...quiet, ...fewRetries, ...npmFlags];
  return new Promise((resolve, reject) => {
    const child = spawn(npm[0], args, {
      cwd: folder,
      env: npmEnvironment(process.env),
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.on("error", (error) =>
      reject(
        new Mendable(`npm cannot be run (${error.message}). It comes with Node: install both from https://nodejs.org.`),
      ),
    );
    child.on("close", (code, signal) => resolve({ code, signal, stderr }));
  });
}

/** npm's own error lines, and what to do about them. */
export function installFailure(stderr, code) {
  // Indented lines are stack frames and properties of npm's own errors.
  const lines = stderr
    .split("\n")
    .filter((line) => /^npm (error|ERR!) [^\s}]/.test(line) && !/complete log of this run|Run "npm help/.test(line))
    .slice(0, 12);
  const network = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|CERT_|network/i.test(stderr);
  const advice = network
    ? "The package registry was not reached. Check the network, or a proxy or registry setting (`npm config get registry`), and run the command again."
    : "Mend what npm names above, and run the command again.";
  return [
    `Dependencies could not be installed: npm ci ended with code ${code}.`,
    ...lines.map((line) => `  ${line}`),
    advice,
  ].join("\n");
}

/**
 * The lock file's owner touches it every second: one that nobody touches any more belongs to a run that was killed.
 * @returns a function that gives it back
 */
export async function takeLock(path, { pollMs = 200, staleMs = 8_000 } = {}) {
  mkdirSync(dirname(path), { recursive: true });
  const own = `${process.pid} ${randomUUID()}`;
  let seen = { mark: "", since: performance.now() };
  let told = false;
  for (;;) {
    try {
      withPath(path, () => writeFileSync(path, own, { flag: "wx" }));
      break;
    } catch (error) {
      if (error.code !== "EEXIST") {
        if (ownerOf(path) === "") rmSync(path, { force: true }); // made, and then there was no room for its text
        throw error;
      }
    }
    const mark = markOf(path);
    if (mark !== seen.mark) seen = { mark, since: performance.now() };
    else if (mark && performance.now() - seen.since > staleMs) takeAway(path, mark);
    if (!told) say("Another run installs dependencies: waiting for it");
    told = true;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  const touch = setInterval(() => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // taken away: the lock was believed stale
    }
  }, 1000);
  return () => {
    clearInterval(touch);
    if (ownerOf(path) === own) rmSync(path, { force: true });
  };
}

function ownerOf(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Changes whenever the lock's owner, or the time of its last touch, does; empty when there is no lock. */
function markOf(path) {
  try {
    return `${readFileSync(path, "utf8")} ${statSync(path).mtimeMs}`;
  } catch {
    return "";
  }
}

function takeAway(path, mark) {
  if (markOf(path) !== mark) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another was quicker
  }
  rmSync(aside, { force: true });
}

/** Said without a stack trace. */
class Mendable extends Error {}

function say(line) {
  process.stderr.write(`${line}\n`);
}

async function run() {
  // A reader that has gone (`npm start | head`) is no reason to leave the work half-done.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const problem = nodeProblem(process.versions.node);
  if (problem) throw new Mendable(problem);
  process.chdir(clone);
  keepLoopbackDirect(process.env);
  await ensureDependencies(clone); // npm goes out, as the person has set Node up for it
  if (!process.argv[2]?.startsWith("test")) quietChildren(process.env); // tests are the person's own, with debugger and coverage
  process.env.MESHUP_NODE = process.execPath; // for the provider: PATH may lead to another one
  // What is started keeps this and that in the folder for temporary files; nothing is to be left outside the clone.
  process.env.TMPDIR = join(clone, ".meshup", "tmp");
  mkdirSync(process.env.TMPDIR, { recursive: true });
  const [{ main }, bench] = await Promise.all([load("cli/main.ts"), load("bench/commands.ts")]);
  process.exitCode = await main(process.argv.slice(2), bench.commands);
}

if (process.argv[1] && import.meta.url === pathToFileURL(realpathSync(process.argv[1])).href) {
  try {
    await run();
  } catch (error) {
    const problem = error instanceof Mendable ? error.message : mendableProblem(error);
    say(problem ?? `${error.stack}\nThis is a defect of meshup.`);
    process.exitCode = 1;
  }
}
