import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { identify } from "../../process/table.ts";
import { clearStaleLocks, engineLocks, heldError, judgeLock, processStart, takeStack } from "./locks.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "locks-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const taken = new Date("2026-01-01T12:00:00Z");
const lock = { pid: 7, hostname: "here", username: "me", timestamp: taken, path: "/l" };

describe("an engine's lock", () => {
  it.each([
    ["of a living engine", "here", new Date("2026-01-01T11:59:59Z"), "held"],
    ["taken in the second in which the engine started", "here", new Date("2026-01-01T12:00:01Z"), "held"],
    ["of an engine that has ended", "here", undefined, "stale"],
    ["whose pid was given anew", "here", new Date("2026-01-01T12:30:00Z"), "stale"],
    ["of another machine", "there", undefined, "elsewhere"],
  ])("%s is %s: %s → %s", (_what, host, started, verdict) => {
    expect(judgeLock({ ...lock, hostname: host }, "here", () => started)).toBe(verdict);
  });

  function engineLock(name: string, content: string): string {
    const path = join(base, ".pulumi/locks/organization/meshup/local", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }
  const text = (pid: number, timestamp = new Date()) =>
    JSON.stringify({ pid, username: "me", hostname: hostname(), timestamp });

  it("is removed when its engine has ended, and no other is", async () => {
    const child = spawn("true");
    await new Promise((resolve) => child.on("close", resolve));
    const dead = engineLock("dead.json", text(child.pid as number));
    const alive = engineLock("alive.json", text(process.pid));
    const { notes, held } = clearStaleLocks(engineLocks(base, "meshup", "local"));
    expect([existsSync(dead), existsSync(alive)]).toEqual([false, true]);
    expect(notes).toEqual([expect.stringContaining(`pid ${child.pid}`)]);
    expect(held.map((lock) => lock.pid)).toEqual([process.pid]);
  });

  it("of before the machine's restart is removed though its pid lives", () => {
    const old = engineLock("old.json", text(process.pid, new Date(0)));
    expect(clearStaleLocks(engineLocks(base, "meshup", "local")).held).toEqual([]);
    expect(existsSync(old)).toBe(false);
  });

  it("is not seen where there is none, in a broken file, or beside it", () => {
    expect(engineLocks(base, "meshup", "local")).toEqual([]);
    engineLock("broken.json", "{");
    engineLock("a.json.attrs", "{}");
    expect(engineLocks(base, "meshup", "local")).toEqual([]);
  });

  it("that is held tells who and since when", () => {
    expect(heldError("local", lock, "here").message).toMatch(
      /run on stack local is under way \(pid 7, since \d\d:\d\d:\d\d\)/,
    );
    expect(heldError("local", lock, "there").message).toMatch(/me on here \(pid 7.*remove the lock: \/l/);
  });
});

it("knows when a process started, and that there is none", () => {
  const started = processStart(process.pid) as Date;
  expect(Math.abs(Date.now() - process.uptime() * 1000 - started.getTime())).toBeLessThan(3000);
  expect(processStart(2 ** 22 + 1)).toBeUndefined();
});

describe("a stack", () => {
  const path = () => join(base, "local.json");

  it("is taken once at a time, and given back", async () => {
    const { release, takenOver } = await takeStack(path(), "local", "start");
    expect(takenOver).toBe(false);
    await expect(takeStack(path(), "local", "destroy")).rejects.toThrow(
      new RegExp(`run on stack local is under way \\(npm run start, pid ${process.pid}`),
    );
    release();
    (await takeStack(path(), "local", "destroy")).release();
    expect(existsSync(path())).toBe(false);
  });

  it("goes to one of two who ask at once", async () => {
    const both = await Promise.allSettled([takeStack(path(), "local", "a"), takeStack(path(), "local", "b")]);
    expect(both.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  it.each([
    ["was killed", { pid: 2 ** 22 + 1, startTime: "1", bootId: "x" }],
    ["had our pid, before it was ours", { ...identify(process.pid), startTime: "1" }],
  ])("is taken over from a run that %s", async (_what, owner) => {
    writeFileSync(path(), JSON.stringify({ ...owner, command: "start", since: taken }));
    const { takenOver, release } = await takeStack(path(), "local", "start");
    expect(takenOver).toBe(true);
    release();
  });

  it("is not given back by a run from which it was taken over", async () => {
    const { release } = await takeStack(path(), "local", "start");
    writeFileSync(path(), JSON.stringify({ pid: 1 }));
    release();
    expect(existsSync(path())).toBe(true);
  });
});
