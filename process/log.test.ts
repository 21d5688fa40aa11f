import { closeSync, existsSync, statSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "../provider/testing/scratch.ts";
import { deleteLog, lastWords, openLog } from "./log.ts";

const lines = (n: number) => Array.from({ length: n }, (_, i) => `line ${i + 1}`);

test("the last ten lines, after an earlier one that says why", () => {
  const path = join(scratch(), "a.log");
  writeFileSync(path, ["before", "[2025][critical][main] bad route", ...lines(30), ""].join("\n"));
  expect(lastWords({ path, offset: 0 })).toEqual(["[2025][critical][main] bad route", ...lines(30).slice(-10)]);
});

test("nothing of what was there before it began, and nothing of nothing", () => {
  const path = join(scratch(), "a.log");
  writeFileSync(path, "an earlier run\n");
  const { fd, start } = openLog(path);
  expect(lastWords(start)).toEqual([]);
  writeSync(fd, "this run\n");
  closeSync(fd);
  expect(lastWords(start)).toEqual(["this run"]);
});

test("a long log is put aside, and both are deleted", () => {
  const path = join(scratch(), "deep", "a.log");
  closeSync(openLog(path).fd);
  truncateSync(path, 11 * 1024 * 1024);
  closeSync(openLog(path).fd);
  expect(statSync(path).size).toBe(0);
  expect(existsSync(`${path}.1`)).toBe(true);
  deleteLog(path);
  expect(existsSync(path) || existsSync(`${path}.1`)).toBe(false);
});
