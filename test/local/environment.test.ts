/** One stack in what surroundings people have: names of folders, proxies, preloads, settings of other tools, copies. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { exec } from "../../lib/exec.ts";
import { ScratchClone } from "./scratch-clone.ts";

let clone: ScratchClone;
let elsewhere: string;
let base: string;

beforeAll(async () => {
  clone = await ScratchClone.create(`a:b c'd"e #f %25 g?h $& ü`);
  base = dirname(clone.folder);
  elsewhere = mkdtempSync(join(tmpdir(), "meshup-elsewhere-"));
  writeFileSync(join(elsewhere, "preload.cjs"), 'console.log("4711"); process.on("exit", () => console.log("4712"));');
});

afterAll(async () => {
  await clone?.remove();
  for (const folder of [base, elsewhere]) rmSync(folder, { recursive: true, force: true });
});

const deadProxy = "http://127.0.0.1:9";

it("starts and shows its filters, whatever Node and pip are set up for, in a folder of any name", async () => {
  const { code, stdout, stderr } = await clone.run(["start"], {
    NODE_OPTIONS: `--require ${join(elsewhere, "preload.cjs")}`,
    PIP_PREFIX: elsewhere,
    PIP_DRY_RUN: "1",
    PIP_CONSTRAINT: join(elsewhere, "no-such-file"),
    PYTHONPATH: elsewhere,
    LOG_LEVEL: "LOUD",
  });
  expect(code, stderr).toBe(0);
  expect(stdout.match(/^ {2}ok /gm)).toHaveLength(4);
});

it("goes past a proxy, by whatever name", async () => {
  const proxies = { https_proxy: deadProxy, HTTP_PROXY: deadProxy, grpc_proxy: deadProxy, NO_PROXY: "a.example, *.b" };
  const { code, stdout, stderr } = await clone.run(["start"], proxies);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/Nothing to change/);
});

it("following its logs ends with the reader, though nothing more is said", async () => {
  const follow = `"$0" "$1" logs echo --follow`;
  const bootstrap = join(clone.folder, "cli", "bootstrap.mjs");
  const run = (line: string) => exec("sh", ["-c", line, process.execPath, bootstrap], { timeoutMs: 60_000 });
  expect((await run(`${follow} | head -1`)).code).toBe(0);
  expect((await run(`${follow} >&-`)).code).toBe(0);
});

it("is left alone by a copy of its clone, which has a stack of its own", async () => {
  const before = await clone.processes();
  const copy = await clone.copy();
  try {
    const { code, stderr } = await copy.run(["start"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch("This clone is a copy of");
    expect((await copy.get("/one/get")).headers["x-custom-header"]).toBe("custom-value");
  } finally {
    await copy.remove();
  }
  expect(await clone.processes()).toEqual(before);
  expect((await clone.run(["start"])).stdout).toMatch(/Nothing to change/);
});

it("goes on when its clone is moved, and leaves nothing at the old place", async () => {
  const old = clone.folder;
  clone = await clone.move();
  const alive = Object.values(await clone.processes()).map(({ alive }) => alive);
  expect(alive).toEqual([true, true, true, true, true]);
  await clone.json(["start"]);
  expect((await clone.get("/one/get")).headers["x-custom-header"]).toBe("custom-value");
  expect(existsSync(old)).toBe(false);
});

it("is not forgotten by a destroy that is stopped", async () => {
  const child = spawn(process.execPath, clone.command(["destroy"]), { cwd: clone.folder, env: clone.env() });
  child.stderr.once("data", () => void child.kill("SIGINT"));
  child.stderr.resume();
  child.stdout.resume();
  const [code] = await once(child, "close");
  // It may have been at its end already; else what is left is still known, and is taken down by the next one.
  if (code !== 0) expect((await clone.run(["status"])).stdout).toMatch(/\d+ resources/);
  const { code: second, stdout } = await clone.run(["destroy"]);
  expect(second).toBe(0);
  if (code !== 0) expect(stdout).toMatch(/is down: \d+ resources deleted/);
});
