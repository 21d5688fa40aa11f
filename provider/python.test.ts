import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { exec } from "../lib/exec.ts";
import { findPython, pipInstall, requireInstalled } from "./python.ts";
import { keptSettings, pipEnvironment, plainPython } from "./python-environment.ts";
import { scratch, script } from "./testing/scratch.ts";

/** A folder with the package hello-meshup 1.2; a wheel is a zip file of a package and of what says so. */
async function wheels(): Promise<string> {
  const folder = scratch();
  const make = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1] + "/hello_meshup-1.2-py3-none-any.whl", "w") as wheel:
    info = "hello_meshup-1.2.dist-info/"
    files = {
        "hello_meshup.py": "word = 'hello'",
        info + "METADATA": "Metadata-Version: 2.1\\nName: hello-meshup\\nVersion: 1.2\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    for name, text in files.items(): wheel.writestr(name, text)
    wheel.writestr(info + "RECORD", "".join(name + ",,\\n" for name in [*files, info + "RECORD"]))`;
  expect(await exec("python3", ["-c", make, folder])).toMatchObject({ code: 0, stderr: "" });
  return folder;
}

/** A person with a home of their own. */
function person(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { PIP_FIND_LINKS, PIP_CERT, PIP_DEFAULT_TIMEOUT, ...rest } = process.env;
  return { ...rest, XDG_CONFIG_HOME: scratch(), ...env };
}

async function installFor(env: NodeJS.ProcessEnv): Promise<string> {
  const target = join(scratch(), "target");
  const python = await findPython(env);
  await pipInstall(python, target, ["hello-meshup==1.2"], "hello-meshup", env);
  await requireInstalled(python, target, { Hello_Meshup: "1.2" }, ["hello_meshup"], env);
  return target;
}

describe("the real pip, as people have set it", () => {
  /** What each would do by itself: conflicts, other places, other versions, or nothing at all. */
  const settings = (elsewhere: string): Record<string, string> => ({
    prefix: elsewhere,
    root: elsewhere,
    user: "1",
    constraint: join(elsewhere, "no-such-constraints.txt"),
    requirement: join(elsewhere, "no-such-requirements.txt"),
    "dry-run": "1",
    "require-virtualenv": "1",
    "no-binary": ":all:",
    platform: "win32",
    "python-version": "2.7",
    abi: "none",
    python: join(elsewhere, "no-python"),
    report: join(elsewhere, "report.json"),
    log: join(elsewhere, "log"),
    quiet: "3",
    "use-feature": "fast-deps",
    "uploaded-prior-to": "1999-01-01",
    pre: "1",
    editable: elsewhere,
    src: elsewhere,
  });

  it("by variables: packages come from their index, to where we say", async () => {
    const elsewhere = scratch();
    const variables = Object.entries(settings(elsewhere)).map(([name, value]) => [
      `PIP_${name.toUpperCase().replaceAll("-", "_")}`,
      value,
    ]);
    const index = { PIP_NO_INDEX: "1", PIP_FIND_LINKS: await wheels() };
    const target = await installFor(person({ ...Object.fromEntries(variables), ...index }));
    expect(existsSync(join(target, "hello_meshup.py"))).toBe(true);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it.each(["the person's", "one by PIP_CONFIG_FILE"])("by %s pip.conf: likewise", async (which) => {
    const elsewhere = scratch();
    const lines = Object.entries(settings(elsewhere)).map(([name, value]) => `${name} = ${value}`);
    const index = ["no_index = true", `find-links =\n    ${join(elsewhere, "nowhere")}\n    ${await wheels()}`];
    const env = person({});
    const file =
      which === "the person's" ? join(env.XDG_CONFIG_HOME as string, "pip", "pip.conf") : join(scratch(), "c");
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileSync(file, ["[global]", ...index, "[install]", ...lines, ""].join("\n"));
    const target = await installFor(which === "the person's" ? env : { ...env, PIP_CONFIG_FILE: file });
    expect(existsSync(join(target, "hello_meshup.py"))).toBe(true);
    expect(readdirSync(elsewhere)).toEqual([]);
  });

  it("by Python's own variables: likewise, and nothing is preloaded", async () => {
    const elsewhere = scratch();
    writeFileSync(join(elsewhere, "sitecustomize.py"), 'print("preloaded")\nimport pip\npip.main = None\n');
    writeFileSync(join(elsewhere, "startup.py"), 'print("started")');
    const env = person({
      PIP_NO_INDEX: "1",
      PIP_FIND_LINKS: await wheels(),
      PYTHONPATH: elsewhere,
      PYTHONSTARTUP: join(elsewhere, "startup.py"),
      PYTHONSAFEPATH: "1",
      PYTHONINSPECT: "1",
      PYTHONVERBOSE: "1",
      PYTHONWARNINGS: "error",
      PYTHONOPTIMIZE: "2",
      PYTHONIOENCODING: "utf-16",
      PYTHONPYCACHEPREFIX: join(elsewhere, "cache"),
    });
    const target = await installFor(env);
    expect(existsSync(join(target, "__pycache__"))).toBe(true);
    expect(existsSync(join(elsewhere, "cache"))).toBe(false);
  });

  it.each<[string, boolean, { RUSTUP_HOME?: string }]>([
    ["has no ~/.rustup, and gets none", false, {}],
    ["has one, which stays the one", true, {}],
    ["has one elsewhere", false, { RUSTUP_HOME: "/dev/null" }],
  ])("by rustup's rustc, which pip asks for its version: a person who %s", async (_, isThere, own) => {
    const home = scratch();
    if (isThere) mkdirSync(join(home, ".rustup"));
    const folder = scratch();
    const asked = join(folder, "asked");
    const lines = ['at="$RUSTUP_HOME"', '[ "$at" ] || at="$HOME/.rustup"', `echo "$at" > ${asked}`, 'mkdir -p "$at"'];
    script(join(folder, "rustc"), ...lines, "echo rustc 1.99.0");
    const { RUSTUP_HOME, ...env } = person({ HOME: home, PATH: `${folder}:${process.env.PATH}` });
    const index = { PIP_NO_INDEX: "1", PIP_FIND_LINKS: await wheels(), PIP_NO_CACHE_DIR: "1" };
    const target = await installFor({ ...env, ...index, ...own });
    const rustup = own.RUSTUP_HOME ?? (isThere ? join(home, ".rustup") : `${target}.rustup`);
    expect(readFileSync(asked, "utf8").trim()).toBe(rustup);
    expect(readdirSync(home)).toEqual(isThere ? [".rustup"] : []);
    expect(readdirSync(join(target, ".."))).toEqual(["target"]);
  });

  it("in a file that is none", async () => {
    const file = join(scratch(), "pip.conf");
    writeFileSync(file, "index-url = x\n");
    const env = person({ PIP_CONFIG_FILE: file });
    await expect(installFor(env)).rejects.toThrow(/pip's settings cannot be read .*File contains no section headers/s);
  });
});

test("a package that pip left out is named, as is one that cannot be imported", async () => {
  const folder = scratch();
  const python = await findPython(process.env);
  const looking = (wanted: Record<string, string>, modules: string[]) =>
    requireInstalled(python, folder, wanted, modules, process.env);
  await expect(looking({ "hello-meshup": "1.2", other: "3" }, [])).rejects.toThrow(
    /hello-meshup 1.2 is not there\n {2}other 3 is not there$/,
  );
  writeFileSync(join(folder, "broken_meshup.py"), "import no_such_module_of_meshup");
  await expect(looking({}, ["broken_meshup"])).rejects.toThrow(
    /broken_meshup cannot be imported: ModuleNotFoundError: No module named 'no_such_module_of_meshup'$/,
  );
});

test("a Python that prints of its own accord is understood; one that needs a variable gets it", async () => {
  const wrapper = script(
    join(scratch(), "python"),
    "echo before",
    '[ "$LD_LIBRARY_PATH" = /needed ] || { echo "cannot open shared object file" >&2; exit 127; }',
    'python3 "$@"; code=$?; echo after; exit $code',
  );
  const found = await findPython({ ...process.env, PYTHON: wrapper, LD_LIBRARY_PATH: "/needed" });
  expect(found.version).toMatch(/^3\.\d+$/);
  await expect(findPython({ ...process.env, PYTHON: wrapper })).rejects.toThrow("cannot open shared object file");
});

test("a Python that PYTHONHOME leads nowhere says so", async () => {
  await expect(findPython({ ...process.env, PYTHONHOME: "/nowhere" })).rejects.toThrow(
    /it does not run: Fatal Python error: .* \(PYTHONHOME is \/nowhere: unset it, or mend it\)$/m,
  );
});

test("a wrapper that gives its Python what that needs stays in front of it", async () => {
  const folder = scratch();
  const inner = join(folder, "inner");
  const answers = `echo 'meshup answers: ["${inner}", "3.12"]'`;
  script(inner, `[ -n "$PY_ROOT" ] || exit 1`, `case "$1" in -c) ${answers};; esac`);
  const wrapper = script(join(folder, "bin", "python3"), `PY_ROOT=/x exec ${inner} "$@"`);
  expect((await findPython({ ...process.env, PATH: `${join(folder, "bin")}:/bin` })).path).toBe(wrapper);
  expect((await findPython({ ...process.env, PYTHON: wrapper, PY_ROOT: "/y" })).path).toBe(inner);
});

test("a pip that only PYTHONPATH leads to is found there", async () => {
  const path = join(scratch(), "python");
  const answers = `echo 'meshup answers: ["${path}", "3.12"]'`;
  script(path, `case "$1" in -c) ${answers};; *) [ "$PYTHONPATH" = /pips ];; esac`);
  expect(await findPython({ ...process.env, PYTHON: path, PYTHONPATH: "/pips" })).toMatchObject({
    path,
    env: { PYTHONPATH: "/pips" },
  });
  await expect(findPython({ ...process.env, PYTHON: path, PYTHONPATH: "/other" })).rejects.toThrow("it has no pip");
});

describe("settings", () => {
  it("that say which index and how it is reached are kept: variables before files", () => {
    const env = { PIP_INDEX_URL: "https://me:secret@index", PIP_TARGET: "/x", PIP_CERT: "", pip_proxy: "http://p" };
    const files = { "index-url": "https://other", "trusted-host": "a\nb", cert: "/ca.pem", prefix: "/y" };
    expect(keptSettings(env, files)).toEqual({
      "index-url": "https://me:secret@index",
      "trusted-host": "a\nb",
      cert: "/ca.pem",
    });
    expect(keptSettings({ PIP_USE_FEATURE: "fast-deps truststore" }, {})).toEqual({ "use-feature": "truststore" });
  });

  it("go to pip by its environment, where no list of processes shows a password", () => {
    const env = { PATH: "/bin", PIP_USER: "1", PYTHONPATH: "/x", PYTHONHOME: "/h", FORCE_COLOR: "1" };
    expect(pipEnvironment(env, { "index-url": "https://me:secret@index" })).toEqual({
      ...{ PATH: "/bin", PYTHONHOME: "/h" },
      ...{ PIP_INDEX_URL: "https://me:secret@index", PIP_CONFIG_FILE: "/dev/null", PIP_ROOT_USER_ACTION: "ignore" },
      NO_COLOR: "1",
    });
  });

  it("of Python are those that it needs to run", () => {
    expect(plainPython({ PYTHON: "py", PYTHONHOME: "/h", PYTHONPATH: "/x", PYENV_VERSION: "3.11" })).toEqual({
      PYTHON: "py",
      PYTHONHOME: "/h",
      PYENV_VERSION: "3.11",
    });
  });
});
