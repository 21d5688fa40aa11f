import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { install, pythonPackagesType, wantedVersions } from "./python-packages.ts";
import type { Context } from "./resource.ts";
import { scratch, script } from "./testing/scratch.ts";

/** What a fake Python does, by order; each is lines of sh. */
interface FakePython {
  version?: string;
  pip?: string;
  install?: string[];
  /** What it finds wrong with what was installed. */
  problems?: string[];
}

/** Acts as a Python that fills pip's `--target`, the argument after that name. */
function fakePython(path: string, fake: FakePython = {}): string {
  const { version = "3.11", pip = "exit 0", install = [], problems = [] } = fake;
  const answer = (value: unknown) => `echo noise; echo 'meshup answers: ${JSON.stringify(value)}'; echo more`;
  return script(
    path,
    'case "$*" in',
    `  -c*version_info*) ${answer([path, version])};;`,
    `  -c*configparser*) ${answer({})};;`,
    `  -c*importlib*) ${answer(problems)};;`,
    `  "-m pip --version") ${pip};;`,
    '  "-m pip install"*)',
    '    while [ "$1" != --target ]; do shift; done; target=$2; shift 2',
    '    mkdir -p "$target"; echo "$*" > "$target/args"',
    ...install,
    "    ;;",
    "esac",
  );
}

function setUp() {
  const folder = scratch();
  const bin = join(folder, "bin");
  const requirements = join(folder, "requirements.txt");
  writeFileSync(requirements, "httpbin==0.10.4 --hash=sha256:00\n");
  const inputs = { requirements, hash: "h1", directory: join(folder, "python") };
  // The fakes are sh scripts and need mkdir; `/bin` may hold a real python3, so only mkdir is let in.
  mkdirSync(bin);
  script(join(bin, "mkdir"), 'exec /bin/mkdir "$@"');
  return { folder, bin, inputs, env: { PATH: bin } as NodeJS.ProcessEnv };
}

const context = (env: NodeJS.ProcessEnv): Context => ({ signal: new AbortController().signal, env });

test("installs with hashes into a folder of its own, once", async () => {
  const { bin, inputs, env } = setUp();
  const python = fakePython(join(bin, "python3"));
  const outputs = await install(inputs, env);
  expect(outputs).toEqual({ python, path: inputs.directory });
  expect(readFileSync(join(outputs.path, "args"), "utf8")).toBe(`--require-hashes -r ${inputs.requirements}\n`);

  fakePython(join(bin, "python3"), { install: ["exit 1"] });
  expect(await install(inputs, env)).toEqual(outputs); // no pip was asked
  const state = { ...inputs, ...outputs };
  expect(await pythonPackagesType.hasDrifted?.(state, inputs, context(env))).toBe(false);
  await pythonPackagesType.delete?.(state, context(env));
  expect(existsSync(outputs.path)).toBe(false);
  expect(await pythonPackagesType.hasDrifted?.(state, inputs, context(env))).toBe(true);
});

test("other requirements install anew", async () => {
  const { bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"));
  const outputs = await install(inputs, env);
  writeFileSync(join(outputs.path, "of before"), "");
  await install({ ...inputs, hash: "h2" }, env);
  expect(existsSync(join(outputs.path, "of before"))).toBe(false);
});

test("a Python that has gone makes it install anew", async () => {
  const { folder, bin, inputs, env } = setUp();
  fakePython(join(folder, "old", "python3"));
  const outputs = await install(inputs, { ...env, PYTHON: join(folder, "old", "python3") });
  const state = { ...inputs, ...outputs };
  writeFileSync(
    join(outputs.path, "meshup.json"),
    JSON.stringify({ hash: "h1", python: "/gone", realPython: "/gone" }),
  );
  expect(await pythonPackagesType.hasDrifted?.(state, inputs, context(env))).toBe(true);
  const python = fakePython(join(bin, "python3"));
  expect(await install(inputs, env)).toMatchObject({ python });
});

test("pip fails: its own last ERROR lines; what was there stays, nothing half-done is left", async () => {
  const { folder, bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"));
  await install(inputs, env);
  const lines = [
    'echo "WARNING: noise" >&2',
    'echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" >&2',
    'echo "    Expected sha256 00" >&2',
    "exit 1",
  ];
  fakePython(join(bin, "python3"), { install: lines });
  const failing = install({ ...inputs, hash: "h2" }, env);
  await expect(failing).rejects.toThrow(UserError);
  const { message } = await failing.catch((error) => error);
  expect(message).toMatch("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES");
  expect(message).not.toMatch(/noise|network/);
  expect(readdirSync(folder).sort()).toEqual(["bin", "python", "requirements.txt"]);
  expect(existsSync(join(inputs.directory, "args"))).toBe(true);
});

test("what pip says that it has installed is looked for, and nothing of it stays when it is not there", async () => {
  const { folder, bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"), { problems: ["httpbin 0.10.4 is not there"] });
  const failing = install(inputs, env);
  await expect(failing).rejects.toThrow(UserError);
  await expect(failing).rejects.toThrow(/does not find them:\n {2}httpbin 0.10.4 is not there$/);
  expect(readdirSync(folder).sort()).toEqual(["bin", "requirements.txt"]);
});

test("versions that every machine gets", () => {
  const text =
    "a-b==1.0 \\\n    --hash=sha256:00\n# b==2\nc.d[extra]==2.0b1 --hash=x\ne==3 ; python_version < '3.10' \\\n";
  expect(wantedVersions(text)).toEqual({ "a-b": "1.0", "c.d": "2.0b1" });
});

test("no network", async () => {
  const { bin, inputs, env } = setUp();
  const lines = [
    "echo \"WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError'\" >&2",
    'echo "ERROR: No matching distribution found for httpbin==0.10.4" >&2',
    "exit 1",
  ];
  fakePython(join(bin, "python3"), { install: lines });
  await expect(install(inputs, env)).rejects.toThrow(
    /ERROR: No matching distribution found for httpbin==0.10.4\n.*network access to PyPI .*is needed once/,
  );
});

test("no Python at all", async () => {
  const { inputs, env } = setUp();
  const failing = install(inputs, env);
  await expect(failing).rejects.toThrow(UserError);
  const { message } = await failing.catch((error) => error);
  expect(message).toMatch("python3: there is no such program\n  python: there is no such program");
  expect(message).toMatch(/Install Python 3.9 or newer .*apt install python3 python3-pip.*macOS/);
});

test("one that is too old, and one without pip", async () => {
  const { bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"), { version: "3.8" });
  fakePython(join(bin, "python"), { pip: "exit 1" });
  await expect(install(inputs, env)).rejects.toThrow(
    /python3: it is 3.8, older than 3.9\n {2}python: it has no pip[\s\S]*python3-pip/,
  );
});

test("python where python3 will not do", async () => {
  const { bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"), { version: "2.7" });
  const python = fakePython(join(bin, "python"), { version: "3.14" });
  expect(await install(inputs, env)).toMatchObject({ python });
});

test("PYTHON outranks the others, and is not passed over when it is wrong", async () => {
  const { folder, bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"));
  await expect(install(inputs, { ...env, PYTHON: "/no/python" })).rejects.toThrow(
    "PYTHON=/no/python: there is no such",
  );
  const python = fakePython(join(folder, "mine", "py"));
  expect(await install(inputs, { ...env, PYTHON: python })).toMatchObject({ python });
});

test("a requirements file that is not there", async () => {
  const { bin, inputs, env } = setUp();
  fakePython(join(bin, "python3"));
  await expect(install({ ...inputs, requirements: "no/such.txt" }, env)).rejects.toThrow(/no\/such.txt: there is no/);
});
