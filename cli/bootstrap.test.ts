import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// Plain JavaScript, since it runs before anything is installed.
const { installFailure, installReason, nodeProblem, takeLock } = await import(
  String(new URL("./bootstrap.mjs", import.meta.url))
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bootstrap-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

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

  it("are installed anew when the lock file has changed", () => {
    lockFile({ one });
    installed({ one });
    expect(installReason(folder)).toBeUndefined();
    lockFile({ one: { ...one, version: "1.1.0" } });
    expect(installReason(folder)).toMatch(/not what/);
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
