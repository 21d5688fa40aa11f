import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { findEngine, versionProblem } from "./engine.ts";
import { buildFromGo, goEnvironment, goVersionProblem } from "./get.ts";
import { builtPath, type EngineWorld, engineVersion, oldestEngine } from "./world.ts";

let base: string;
let world: EngineWorld;
let notes: string[];
const fetched: string[] = [];

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "engine-"));
  notes = [];
  fetched.length = 0;
  world = {
    env: { PATH: `${join(base, "bin")}:/usr/bin:/bin` },
    home: join(base, "home"),
    cacheDir: join(base, "cache"),
    memory: join(base, "engine.json"),
    note: (line) => notes.push(line),
    fetchers: [failing("npm"), failing("Go")],
  };
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

function failing(name: string) {
  return {
    name,
    fetch: async () => {
      fetched.push(name);
      throw new Error(`no ${name} here`);
    },
  };
}

/** An executable that says a version, and counts how often it was asked. */
function fake(folder: string, version: string, body = `echo ${version}`): string {
  const path = join(folder, "pulumi");
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho asked >> "$0.asked"\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

const timesAsked = (path: string) =>
  existsSync(`${path}.asked`) ? readFileSync(`${path}.asked`, "utf8").trim().split("\n").length : 0;

it("takes the one on PATH before all others", async () => {
  const onPath = fake(join(base, "bin"), "v3.250.0");
  fake(join(base, "home/.pulumi/bin"), "v3.259.0");
  expect(await findEngine(world)).toEqual({ path: onPath, version: "3.250.0", languageHost: false });
});

it("takes Pulumi's own folder before what was built", async () => {
  const installed = fake(join(base, "home/.pulumi/bin"), "v3.250.0");
  fake(dirname(builtPath(world)), `v${engineVersion}`);
  expect((await findEngine(world)).path).toBe(installed);
});

it("takes the newest that npm's launcher has downloaded", async () => {
  fake(join(base, "home/.pulumi/versions/3.99.0/bin"), "v3.99.0");
  fake(join(base, "home/.pulumi/versions/3.250.0/bin"), "v3.250.0");
  const newest = fake(join(base, "home/.pulumi/versions/3.258.1/bin"), "v3.258.1");
  mkdirSync(join(base, "home/.pulumi/versions/notes"));
  expect((await findEngine(world)).path).toBe(newest);
});

it("looks into PULUMI_HOME where it is set", async () => {
  const installed = fake(join(base, "elsewhere/bin"), "v3.250.0");
  world.env = { ...world.env, PULUMI_HOME: join(base, "elsewhere") };
  expect((await findEngine(world)).path).toBe(installed);
});

it("asks an executable for its version once, and again when it has changed", async () => {
  const path = fake(join(base, "bin"), "v3.250.0");
  await findEngine(world);
  await findEngine(world);
  expect(timesAsked(path)).toBe(1);
  fake(join(base, "bin"), "v3.251.0");
  utimesSync(path, new Date(), new Date(Date.now() + 5000));
  expect((await findEngine(world)).version).toBe("3.251.0");
});

it("notices the language host beside it", async () => {
  fake(join(base, "bin"), "v3.250.0");
  writeFileSync(join(base, "bin/pulumi-language-nodejs"), "", { mode: 0o755 });
  expect((await findEngine(world)).languageHost).toBe(true);
});

it.each([
  ["too old", "echo v3.100.0", "version 3.100.0 is too old"],
  ["of another major version", "echo v4.0.0", "another major version"],
  ["broken", "echo gone >&2; exit 3", "`pulumi version` ended with 3: gone"],
  ["something else", "echo hello", "`pulumi version` ended with 0: hello"],
])("passes over one that is %s, and says so", async (_what, body, reason) => {
  fake(join(base, "bin"), "", body);
  const good = fake(join(base, "home/.pulumi/bin"), "v3.250.0");
  expect((await findEngine(world)).path).toBe(good);
  expect(notes.join("\n")).toContain(reason);
});

it("passes over what cannot be executed, and a memory that is not JSON", async () => {
  mkdirSync(join(base, "bin"));
  writeFileSync(join(base, "bin/pulumi"), "not a program", { mode: 0o644 });
  writeFileSync(world.memory, "{");
  const good = fake(join(base, "home/.pulumi/bin"), "v3.250.0");
  expect((await findEngine(world)).path).toBe(good);
});

it("fetches in order, and remembers what it has fetched", async () => {
  const built = builtPath(world);
  world.fetchers = [failing("npm"), { name: "Go", fetch: async () => fake(dirname(built), `v${engineVersion}`) }];
  expect((await findEngine(world)).path).toBe(built);
  expect(fetched).toEqual(["npm"]);
  expect((await findEngine(world)).path).toBe(built);
  expect(fetched).toEqual(["npm"]);
});

it("names each way that was tried, with its reason, and what to install", async () => {
  fake(join(base, "bin"), "v3.1.0");
  const error = await findEngine(world).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(/PATH: .*bin\/pulumi: version 3\.1\.0 is too old/);
  expect(error.message).toMatch(
    /\.pulumi: there is no pulumi[\s\S]*npm: no npm here[\s\S]*Go: no Go here[\s\S]*Install Pulumi/,
  );
});

it("names a cache that cannot be written, and what to do about that", async () => {
  writeFileSync(world.cacheDir, "a file in its place");
  world.fetchers = [failing("npm"), { name: "its Go module", fetch: buildFromGo }];
  const error = await findEngine(world).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(
    /its Go module: The cache folder \S+\/cache\/\S+ cannot be written to .*XDG_CACHE_HOME/,
  );
  expect(error.message).toMatch(/Install Pulumi .*, or set XDG_CACHE_HOME so that it can be built/);
  expect(error.message).not.toMatch(/go\.dev/);
});

it("goes no further when the person has stopped it", async () => {
  const stopped = { name: "npm", fetch: () => Promise.reject(new UserError("Stopped.")) };
  world.fetchers = [stopped, failing("Go")];
  await expect(findEngine(world)).rejects.toThrow(/^Stopped\.$/);
  expect(fetched).toEqual([]);
});

it.each([
  [engineVersion, undefined],
  [oldestEngine, undefined],
  ["v3.1000.0", undefined],
  ["3.259.1-alpha.1+x", undefined],
  ["3.99.0", /3\.99\.0 is too old/],
  ["4.0.0", /4\.0\.0 is of another major version/],
  ["hello 3.259.0", /is too old/],
])("an engine of version %s", (version, problem) => {
  if (problem) expect(versionProblem(version)).toMatch(problem);
  else expect(versionProblem(version)).toBeUndefined();
});

it.each([
  ["go1.26.8", "local", undefined],
  ["go1.26", "local", undefined],
  ["go1.27rc1", "local", undefined],
  ["go1.26.8 X:nocoverageredesign", "local", undefined],
  ["go1.25.11", "local", undefined],
  ["go1.25.10", "local", /go1\.25\.10 is too old/],
  ["go1.21.0", "auto", undefined],
  ["go1.20.3", "auto", /too old/],
  ["", "", /this Go is too old/],
])("Go %s with toolchain %s", (version, toolchain, problem) => {
  const found = goVersionProblem(version, toolchain);
  if (problem) expect(found).toMatch(problem);
  else expect(found).toBeUndefined();
});

it("Go builds for this machine, whatever it is set up for otherwise", () => {
  const others = { GOOS: "plan9", GOARCH: "mips", GO111MODULE: "off", GOWORK: "/w", CGO_ENABLED: "1", GOAMD64: "v4" };
  const env = goEnvironment({ ...others, GOFLAGS: "-mod=vendor -n -p=2 -tags=x -modcacherw", GOPROXY: "https://p" });
  expect(env).toEqual({
    ...{ GOOS: process.platform, GOARCH: process.arch === "x64" ? "amd64" : process.arch },
    ...{ GO111MODULE: "on", GOWORK: "off", CGO_ENABLED: "0", GOFLAGS: "-p=2 -modcacherw -mod=mod" },
    GOPROXY: "https://p",
  });
});

it("says that Go cannot be used below a home with a colon, before it tries", async () => {
  world.home = join(base, "a:b");
  await expect(buildFromGo({ ...world, env: { ...world.env, GOPATH: "" } })).rejects.toThrow(/a:b.*set GOPATH/);
});
