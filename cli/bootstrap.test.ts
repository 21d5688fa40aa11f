import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exec } from "../lib/exec.ts";

// Plain JavaScript, since it runs before anything is installed.
const { ensureDependencies, installFailure, installReason, nodeProblem, takeLock } = await import(
  String(new URL("./bootstrap.mjs", import.meta.url))
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstrap-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

it.each(["20.20.0", "20.21.1", "22.0.0", "24.1.0"])("runs on Node %s", (version) => {
  expect(nodeProblem(version)).toBeUndefined();
});
it.each(["18.20.8", "20.19.9", "20.2.0", "4.0.0"])("says what to do on Node %s", (version) => {
  expect(nodeProblem(version)).toMatch(new RegExp(`needs Node 20\\.20 or newer; this is ${version}.*Install`));
});

describe("dependencies", () => {
  const one = { version: "1.0.0", integrity: "sha512-a" };
  const other = { version: "2.0.0", integrity: "sha512-b", optional: true };
  const lockFile = (packages: object) =>
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages: { "": {}, ...packages } }));
  function installed(packages: object | string): void {
    mkdirSync(join(folder, "node_modules"), { recursive: true });
    const text = typeof packages === "string" ? packages : JSON.stringify({ packages });
    writeFileSync(join(folder, "node_modules/.package-lock.json"), text);
  }

  it("are missing in a fresh clone", () => {
    lockFile({ one });
    expect(installReason(folder)).toBe("there is no node_modules");
  });

  it("that somebody has installed from this lock file are taken, without other machines' packages", () => {
    lockFile({ one, other });
    installed({ one });
    expect(installReason(folder)).toBeUndefined();
    rmSync(join(folder, "node_modules/.package-lock.json")); // from now on the stamp says it
    expect(installReason(folder)).toBeUndefined();
  });

  it.each([
    ["half of them", {}],
    ["of another version", { one: { ...one, version: "1.0.1" } }],
    ["of another content", { one: { ...one, integrity: "sha512-x" } }],
    ["with one that nobody asked for", { one, extra: one }],
    ["broken off half-way", "{"],
  ])("that are %s are installed anew", (_what, packages) => {
    lockFile({ one, other });
    installed(packages);
    expect(installReason(folder)).toMatch(/not what package-lock\.json says/);
  });

  it("that npm has left out are missed, also those for this kind of machine", () => {
    const here = { ...other, os: [process.platform], cpu: [process.arch] };
    const elsewhere = { ...other, os: ["aix"], cpu: ["ppc64"] };
    lockFile({ one, here, elsewhere });
    installed({ one });
    expect(installReason(folder)).toMatch(/not what package-lock\.json says/);
    installed({ one, here });
    expect(installReason(folder)).toBeUndefined();
  });

  it("are installed anew when the lock file has changed", () => {
    lockFile({ one });
    installed({ one });
    expect(installReason(folder)).toBeUndefined();
    lockFile({ one: { ...one, version: "1.1.0" } });
    expect(installReason(folder)).toMatch(/not what/);
  });
});

describe("npm itself", () => {
  /** A project with one package for production and one for development, each a folder in it. */
  function project(): void {
    const write = (file: string, value: object) => {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), JSON.stringify(value));
    };
    const [dependencies, devDependencies] = [{ one: "file:one" }, { two: "file:two" }];
    for (const name of ["one", "two"]) write(`${name}/package.json`, { name, version: "1.0.0" });
    write("package.json", { name: "p", version: "1.0.0", dependencies, devDependencies });
    write("package-lock.json", {
      ...{ name: "p", version: "1.0.0", lockfileVersion: 3, requires: true },
      packages: {
        "": { name: "p", version: "1.0.0", dependencies, devDependencies },
        "node_modules/one": { resolved: "one", link: true },
        "node_modules/two": { resolved: "two", link: true },
        one: { version: "1.0.0" },
        two: { version: "1.0.0", dev: true },
      },
    });
  }

  it.each([
    ["by variables", { NODE_ENV: "production", npm_config_dry_run: "true", NPM_CONFIG_GLOBAL: "true" }, ""],
    ["by others", { npm_config_omit: "dev", npm_config_workspace: "w", npm_config_prefix: "/nowhere" }, ""],
    ["by an .npmrc", {}, "omit=dev\ndry-run=true\nglobal=true\nengine-strict=true\npackage-lock=false\njson=true\n"],
  ])("installs everything, whatever people have set %s", async (_how, env, npmrc) => {
    project();
    writeFileSync(join(folder, ".npmrc"), npmrc);
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await ensureDependencies(folder);
    expect(existsSync(join(folder, "node_modules/two/package.json"))).toBe(true);
    expect(installReason(folder)).toBeUndefined();
  });

  it("that installs nothing and says that all is well is not believed", async () => {
    project();
    vi.stubEnv("npm_execpath", join(folder, "npm.js"));
    writeFileSync(join(folder, "npm.js"), "");
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    await expect(ensureDependencies(folder)).rejects.toThrow(/there is no one, two.*\n.*npm config ls/);
  });
});

describe("npm's failure", () => {
  it("is its own error lines and advice about the network", () => {
    const stderr =
      "npm warn x\nnpm error code ENOTFOUND\nnpm error     at frame\nnpm error }\nnpm error network request failed\nnpm error A complete log of this run can be found in: /x\n";
    const text = installFailure(stderr, 1);
    expect(text).toContain("  npm error code ENOTFOUND\n  npm error network request failed\n");
    expect(text).toMatch(/code 1[\s\S]*registry was not reached/);
    expect(text).not.toMatch(/complete log|warn|frame/);
  });

  it("of another kind has no advice about the network", () => {
    expect(installFailure("npm error code EACCES", 243)).not.toMatch(/registry was not reached/);
  });
});

describe("the lock", () => {
  const path = () => join(folder, ".meshup/install.lock");

  it("is had by one at a time", async () => {
    const order: string[] = [];
    const release = await takeLock(path(), { pollMs: 5 });
    const second = takeLock(path(), { pollMs: 5 }).then((give: () => void) => {
      order.push("second");
      give();
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    order.push("first");
    release();
    await second;
    expect(order).toEqual(["first", "second"]);
    expect(existsSync(path())).toBe(false);
  });

  it("of a run that was killed is taken away", async () => {
    mkdirSync(join(folder, ".meshup"));
    writeFileSync(path(), "1 somebody");
    const release = await takeLock(path(), { pollMs: 5, staleMs: 50 });
    release();
    expect(existsSync(path())).toBe(false);
  });

  it("that is touched is left to its owner, however old", async () => {
    mkdirSync(join(folder, ".meshup"));
    writeFileSync(path(), "1 somebody");
    let touches = 0;
    const owner = setInterval(() => utimesSync(path(), 1, ++touches), 10);
    let had = false;
    const waiting = takeLock(path(), { pollMs: 5, staleMs: 200 }).then((give: () => void) => {
      had = true;
      give();
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(had).toBe(false);
    clearInterval(owner);
    await waiting;
  });
});

it("below a folder with a backslash, where Node loads no module, one line says so", async () => {
  const cli = join(folder, "a\\b", "cli");
  mkdirSync(cli, { recursive: true });
  copyFileSync(new URL("./bootstrap.cjs", import.meta.url), join(cli, "bootstrap.cjs"));
  const { code, stdout, stderr } = await exec(process.execPath, [join(cli, "bootstrap.cjs"), "start"]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^Node cannot run programs below a folder with a backslash: move the clone \(.*a\\b\)\.\n$/);
});
