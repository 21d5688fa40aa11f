/** Finding a Python, and having its pip install into a folder. */
import { isAbsolute } from "node:path";
import { messageOf, UserError } from "../lib/errors.ts";
import { type ExecResult, exec } from "../lib/exec.ts";

export interface Python {
  /** Absolute path of the interpreter. */
  path: string;
  /** Such as `3.11`: packages are installed for one such version. */
  version: string;
}

const install =
  "Debian, Ubuntu: apt install python3 python3-pip; Fedora: dnf install python3 python3-pip; macOS: brew install python";
const probe = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";

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

/** The Python behind a name, or what is wrong with it. */
async function inspect(name: string, env: NodeJS.ProcessEnv): Promise<Python | string> {
  let result: ExecResult;
  try {
    result = await exec(name, ["-c", probe], { env, timeoutMs: 20_000 });
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such program" : messageOf(error);
  }
  const [path = "", version = ""] = result.stdout.trim().split("\n");
  if (result.code !== 0 || !isAbsolute(path)) return `it does not run: ${lastLine(result)}`;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 3 || (major === 3 && minor < 9)) return `it is ${version}, older than 3.9`;
  const pip = await exec(path, ["-m", "pip", "--version"], { env: pipEnv(env), timeoutMs: 60_000 });
  return pip.code === 0 ? { path, version } : "it has no pip (`-m pip --version` fails)";
}

/**
 * `pip install --target <directory> …`
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
  const common = ["-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--retries", "2"];
  const result = await exec(python.path, [...common, "--target", directory, ...args], { env: pipEnv(env) });
  if (result.code === 0) return;
  const lines = result.stderr.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => line.startsWith("ERROR"));
  const words = (errors.length > 0 ? errors : lines).slice(-5);
  throw new UserError(
    `pip could not install ${what} (${python.path}):\n  ${words.join("\n  ")}${offline(result.stderr)}`,
  );
}

/** What a person without network, or behind a proxy, has to know. */
function offline(stderr: string): string {
  const network = /Retrying \(|ConnectionError|NewConnectionError|ProxyError|SSLError|Network is unreachable|timed out/;
  return network.test(stderr)
    ? "\nThe package index was not reached: network access to PyPI (or a mirror: PIP_INDEX_URL) is needed once."
    : "";
}

/** A person's pip.conf may forbid what is harmless in a folder of our own; options older pips do not know go this way too. */
function pipEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return { ...env, PIP_USER: "0", PIP_REQUIRE_VIRTUALENV: "0", PIP_ROOT_USER_ACTION: "ignore" };
}

function lastLine({ stdout, stderr, code }: ExecResult): string {
  return (stderr.trim() || stdout.trim()).split("\n").at(-1) || `exit code ${code}`;
}
