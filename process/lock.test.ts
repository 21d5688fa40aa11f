import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { scratch } from "../provider/testing/scratch.ts";
import { withLock } from "./lock.ts";
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

test("a living owner is waited for, and named when it takes too long", async () => {
  const path = join(scratch(), "a.lock");
  writeFileSync(path, JSON.stringify(identify(process.pid)));
  const waiting = withLock(path, async () => 1, 60);
  await expect(waiting).rejects.toThrow(UserError);
  await expect(waiting).rejects.toThrow(`process ${process.pid}`);
});
