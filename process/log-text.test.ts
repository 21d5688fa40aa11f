import { appendFileSync, mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "../provider/testing/scratch.ts";
import { Lines, linesSince, logSize } from "./log-text.ts";

const gib = 1024 ** 3;
const log = () => join(scratch(), "a.log");
const since = (path: string, offset: number) => [...linesSince(path, offset)];

test("the lines since an offset", () => {
  const path = log();
  writeFileSync(path, "one\ntwo é\n\nthree");
  expect(since(path, 4)).toEqual(["two é", "", "three"]);
  expect(since(path, logSize(path))).toEqual([]);
});

test("a log that was begun anew is read from its beginning", () => {
  const path = log();
  writeFileSync(path, "new\n");
  expect(since(path, 1000)).toEqual(["new"]);
});

test("one of more than 2 GiB is read from there on", () => {
  const path = log();
  writeFileSync(path, "old\n");
  truncateSync(path, 3 * gib);
  appendFileSync(path, "\nnew\n");
  expect(since(path, 3 * gib + 1)).toEqual(["new"]);
});

test("of very much, its beginning and its end", () => {
  const path = log();
  writeFileSync(path, "first\n");
  truncateSync(path, 3 * gib);
  appendFileSync(path, "\nlast\n");
  const lines = since(path, 0);
  expect(lines[0]).toBe("first");
  expect(lines.at(-1)).toBe("last");
  expect(lines.length).toBeLessThan(10);
});

test("a line across pieces, and one that is too long", () => {
  const path = log();
  const long = "é".repeat(3 * 1024 * 1024);
  writeFileSync(path, `${"a".repeat(1024 * 1024 - 2)}\nbcd\n${long}\nend\n`);
  const lines = since(path, 0);
  expect(lines.slice(1, 2)).toEqual(["bcd"]);
  expect(lines.at(-1)).toBe("end");
  expect(lines[2]).toMatch(/^é+.? …$/);
  expect(lines).toHaveLength(4);
});

test("lines of pieces that end anywhere", () => {
  const lines = new Lines();
  expect(lines.add(Buffer.from("on"))).toEqual([]);
  expect(lines.add(Buffer.from("e\ntw"))).toEqual(["one"]);
  expect(lines.add(Buffer.from("o\n"))).toEqual(["two"]);
  expect(lines.end()).toEqual([]);
});

test("one that cannot be read is an error that says so", () => {
  const folder = scratch();
  expect(() => since(join(folder, "none.log"), 0)).toThrow(/the log .*none\.log cannot be read: ENOENT/);
  mkdirSync(join(folder, "folder.log"));
  expect(() => logSize(join(folder, "folder.log"))).toThrow(/folder\.log cannot be read: it is no file/);
});
