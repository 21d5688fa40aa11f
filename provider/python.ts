/** Finding a Python, having its pip install into a folder, and looking whether it did. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { coerce, lt } from "semver";
import { diskProblemIn } from "../lib/disk.mjs";
import { messageOf, UserError } from "../lib/errors.ts";
import { type ExecResult, exec } from "../lib/exec.ts";
import { programPath } from "../lib/programs.ts";
import { keptSettings, type PipSettings, pipEnvironment, plainPython } from "./python-environment.ts";

export interface Python {
  /** Absolute path of the interpreter. */
  path: string;
  /** Such as `3.11`: packages are installed for one such version. */
  version: string;
  /** Environment for its pip. */
  env: NodeJS.ProcessEnv;
}

const install =
  "Debian, Ubuntu: apt install python3 python3-pip; Fedora: dnf install python3 python3-pip; macOS: brew install python";

/**
 * The first of `PYTHON`, `python3` and `python` that is 3.9 or newer and has pip.
 * @throws UserError that says of each what is missing.
 */
export async function findPython(env: NodeJS.ProcessEnv): Promise<Python> {
  const names = env.PYTHON ? [env.PYTHON] : ["python3", "python"];
  const problems: string[] = [];
  for (const name of names) {
    const found = await inspect(name, env);
    if (typeof found !== "string") return found;
    problems.push(env.PYTHON ? `PYTHON=${name}: ${found}` : `${name}: ${found}`);
  }
  throw new UserError(
    `Python 3.9 or newer with pip is needed:\n  ${problems.join("\n  ")}\n` +
      `Install Python 3.9 or newer (${install}), or set PYTHON to the path of one.`,
  );
}

const probe = "answer([sys.executable, '%d.%d' % sys.version_info[:2]])";

/** The Python behind a name, or what is wrong with it. */
async function inspect(name: string, env: NodeJS.ProcessEnv): Promise<Python | string> {
  let answer: Answer;
  try {
    answer = await ask(name, probe, [], env);
  } catch (error) {
    if (error instanceof NoAnswer) return `it does not run: ${error.message}`;
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such program" : messageOf(error);
  }
  const [, version] = answer;
  const path = await interpreter(name, answer, env);
  if (path === undefined) return "it does not run: it does not know its own path";
  if (lt(coerce(version) ?? "0.0.0", "3.9.0")) return `it is ${version}, older than 3.9`;
  for (const pip of pipEnvironments(env)) {
    const { code } = await exec(path, ["-m", "pip", "--version"], { env: pip, timeoutMs: 60_000 });
    if (code === 0) return { path, version, env: pip };
  }
  return "it has no pip (`-m pip --version` fails)";
}

type Answer = [path: string, version: string];

/** The interpreter's own path, since a shim decides anew in each folder; a wrapper without which it does not run stays. */
async function interpreter(name: string, [path, version]: Answer, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const itself = isAbsolute(path) && (await ask<Answer>(path, probe, [], env).catch(() => undefined));
  return itself && itself[1] === version ? path : programPath(name, env);
}

/** Where environment modules put a pip on PYTHONPATH, it is not to be had without. */
function pipEnvironments(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv[] {
  const plain = pipEnvironment(env);
  return env.PYTHONPATH ? [plain, { ...plain, PYTHONPATH: env.PYTHONPATH }] : [plain];
}

/**
 * `pip install --target <directory> …`, by the index that the person's own pip goes to.
 * @param what for the message: what is being installed.
 * @throws UserError with pip's own last words.
 */
export async function pipInstall(
  python: Python,
  directory: string,
  args: string[],
  what: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const settings = keptSettings(env, await settingsInFiles(python, env));
  // Without a retry pip does not say that it has not reached its index.
  const retries = String(Math.max(2, Number(settings.retries) || 0));
  const rustup = `${directory}.rustup`;
  const pip = { ...python.env, ...pipEnvironment(env, { ...settings, retries }), ...homeOfRustup(rustup, env) };
  const common = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check"];
  const result = await exec(python.path, [...common, "--target", directory, ...args], { env: pip });
  await rm(rustup, { recursive: true, force: true });
  if (result.code === 0) return;
  const full = diskProblemIn(result.stderr, [
    directory,
    pip.PIP_CACHE_DIR ?? join(homedir(), ".cache", "pip"),
    tmpdir(),
  ]);
  if (full !== undefined) throw new UserError(full);
  const lines = result.stderr.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => line.startsWith("ERROR"));
  const words = (errors.length > 0 ? errors : lines).slice(-5);
  throw new UserError(
    `pip could not install ${what} (${python.path}):\n  ${words.join("\n  ")}${offline(result.stderr)}`,
  );
}

/**
 * pip tells its index the version of Rust, and asks `rustc` for it. Where that is rustup's, it makes `~/.rustup` at once.
 * A person who has none is left without: it is made in a folder of ours.
 */
function homeOfRustup(folder: string, { RUSTUP_HOME, HOME = homedir() }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return RUSTUP_HOME || existsSync(join(HOME, ".rustup")) ? {} : { RUSTUP_HOME: folder };
}

/** pip's files and their order: https://pip.pypa.io/en/stable/topics/configuration/ */
const readFiles = `
import configparser, os
home, mac, own = os.path.expanduser("~"), sys.platform == "darwin", os.environ.get("PIP_CONFIG_FILE")
shared = ["/Library/Application Support"] if mac else (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
support = os.path.join(home, "Library", "Application Support", "pip")
config = os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "pip")
files = [os.path.join(folder, "pip", "pip.conf") for folder in shared if folder]
files += ["/etc/pip.conf"]
if not (own and os.path.exists(own)):
    files += [os.path.join(home, ".pip", "pip.conf")]
    files += [os.path.join(support if mac and os.path.isdir(support) else config, "pip.conf")]
files += [os.path.join(sys.prefix, "pip.conf")] + ([own] if own else [])
found = {"global": {}, "install": {}}
for file in files if own != os.devnull else []:
    parser = configparser.RawConfigParser()
    try: parser.read(file)
    except configparser.Error as error: sys.exit(" ".join(str(error).split()))
    for section in found:
        if parser.has_section(section): found[section].update(parser.items(section))
answer({name.replace("_", "-"): value for section in found.values() for name, value in section.items() if value})
`;

async function settingsInFiles({ path }: Python, env: NodeJS.ProcessEnv): Promise<PipSettings> {
  const variables = { PIP_CONFIG_FILE: env.PIP_CONFIG_FILE };
  return ask<PipSettings>(path, readFiles, [], env, variables).catch((error) => {
    throw error instanceof NoAnswer
      ? new UserError(`pip's settings cannot be read (${path}): ${error.message}`)
      : error;
  });
}

const look = `
import importlib, importlib.metadata, json
folder, wanted, modules = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
sys.path.insert(0, folder)
plain = lambda name: name.lower().replace("_", "-").replace(".", "-")
there = {plain(one.metadata["Name"]): one.version for one in importlib.metadata.distributions(path=[folder])}
problems = []
for name, version in wanted.items():
    has = there.get(plain(name))
    if has != version: problems.append("%s %s is %s" % (name, version, has or "not there"))
for name in [] if problems else modules:
    try: importlib.import_module(name)
    except BaseException as error: problems.append("%s cannot be imported: %s: %s" % (name, type(error).__name__, error))
answer(problems)
`;

/**
 * Looks whether a folder has what was installed into it: by version, and by importing it.
 * @param wanted versions by name
 * @throws UserError that names all that is missing
 */
export async function requireInstalled(
  python: Python,
  directory: string,
  wanted: Record<string, string>,
  modules: string[],
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const args = [directory, JSON.stringify(wanted), JSON.stringify(modules)];
  const problems = await ask<string[]>(python.path, look, args, env).catch((error) => [messageOf(error)]);
  if (problems.length > 0)
    throw new UserError(
      `pip says that it has installed them, but ${python.path} does not find them:\n  ${problems.join("\n  ")}`,
    );
}

/** What an answer begins with: a wrapper around Python, or what it loads by itself, may print too. */
const mark = "meshup answers: ";

/** A program in Python has ended without an answer; the message is the line that says why, by default its last. */
class NoAnswer extends Error {}

/**
 * Runs a program in Python.
 * @param variables beside those that every Python of ours gets
 * @returns what the program passes to `answer`
 * @throws NoAnswer where it did not get there, and the spawn error
 */
async function ask<T>(
  python: string,
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  variables: NodeJS.ProcessEnv = {},
): Promise<T> {
  const whole = `import json, sys\nanswer = lambda value: print("\\n${mark}" + json.dumps(value), flush=True)\n${program}`;
  const options = { env: { ...plainPython(env), ...variables }, timeoutMs: 60_000 };
  const result = await exec(python, ["-c", whole, ...args], options);
  const line = result.stdout.split("\n").findLast((line) => line.startsWith(mark));
  if (result.code !== 0 || line === undefined)
    throw new NoAnswer(fatalError(result.stderr, options.env) ?? lastLine(result));
  return JSON.parse(line.slice(mark.length)) as T;
}

/** Why the interpreter itself did not start. */
function fatalError(stderr: string, { PYTHONHOME }: NodeJS.ProcessEnv): string | undefined {
  const line = /^Fatal Python error: .*$/m.exec(stderr)?.[0];
  return line && PYTHONHOME ? `${line} (PYTHONHOME is ${PYTHONHOME}: unset it, or mend it)` : line;
}

/** What a person without network, or behind a proxy, has to know. */
function offline(stderr: string): string {
  const network = /Retrying \(|ConnectionError|NewConnectionError|ProxyError|SSLError|Network is unreachable|timed out/;
  return network.test(stderr)
    ? "\nThe package index was not reached: network access to PyPI (or a mirror: PIP_INDEX_URL) is needed once."
    : "";
}

function lastLine({ stdout, stderr, code }: ExecResult): string {
  return (stderr.trim() || stdout.trim()).split("\n").at(-1) || `exit code ${code}`;
}
