import { cpSync, mkdirSync, readdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { scratch } from "../provider/testing/scratch.ts";
import { holderOf, withLock } from "./lock.ts";
import { identify } from "./table.ts";

test("one at a time, and nothing stays behind", async () => {
  const folder = scratch();
  let inside = 0;
  let most = 0;
  const work = async () => {
    most = Math.max(most, ++inside);
    await sleep(10);
    inside--;
  };
  await Promise.all([1, 2, 3, 4].map(() => withLock(join(folder, "a.lock"), work)));
  expect(most).toBe(1);
  expect(readdirSync(folder)).toEqual([]);
});

test("given back when the work fails", async () => {
  const path = join(scratch(), "a.lock");
  await expect(withLock(path, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await withLock(path, async () => 1)).toBe(1);
});

test.each([
  ["dead owner", JSON.stringify({ pid: process.pid, startTime: "1", bootId: "" })],
  ["owner of another boot", JSON.stringify({ ...identify(process.pid), bootId: "earlier" })],
  ["half-written", '{"pid": 12'],
])("the lock of a %s counts for nothing", async (_, text) => {
  const folder = scratch();
  const path = join(folder, "a.lock");
  writeFileSync(path, text);
  const order: number[] = [];
  await Promise.all([1, 2, 3].map((n) => withLock(path, async () => void order.push(n))));
  expect(order).toHaveLength(3);
  expect(readdirSync(folder)).toEqual([]);
});

test("a copy of a lock that is held counts for nothing; the folder that was moved keeps its lock", async () => {
  const folder = scratch();
  const [original, copy, moved] = ["original", "copy", "moved"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(original);
  await withLock(join(original, "a.lock"), async () => {
    cpSync(original, copy, { recursive: true });
    expect(await withLock(join(copy, "a.lock"), async () => 1, 60)).toBe(1);
    renameSync(original, moved);
    await expect(withLock(join(moved, "a.lock"), async () => 1, 60)).rejects.toThrow(`process ${process.pid}`);
    renameSync(moved, original);
  });
});

test.each([
  ["machine", { host: "another" }],
  ["container", { space: "pid:[1]" }],
])("a holder in another %s is believed as long as it touches its file", async (_where, other) => {
  const path = join(scratch(), "a.lock");
  writeFileSync(path, JSON.stringify({ ...holderOf(path), ...other, pid: 2 ** 22 + 1 }));
  await expect(withLock(path, async () => 1, 60)).rejects.toThrow("has held this lock");
  const longAgo = Date.now() / 1000 - 120;
  utimesSync(path, longAgo, longAgo);
  expect(await withLock(path, async () => 1, 60)).toBe(1);
});

test("a living owner is waited for, and named when it takes too long", async () => {
  const path = join(scratch(), "a.lock");
  writeFileSync(path, JSON.stringify(identify(process.pid)));
  const waiting = withLock(path, async () => 1, 60);
  await expect(waiting).rejects.toThrow(UserError);
  await expect(waiting).rejects.toThrow(`process ${process.pid}`);
});
