import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "../provider/testing/scratch.ts";
import { deleteLog, lastWords, longLogBytes, needsCare, openLog, putAside, quote } from "./log.ts";

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

test("of one of 3 GiB the end is kept, and whoever writes to it goes on", () => {
  const path = join(scratch(), "a.log");
  const { fd } = openLog(path);
  truncateSync(path, 3 * 1024 ** 3);
  writeSync(fd, "\nthe end\n");
  expect(needsCare(path)).toBe(true);
  putAside(path);
  writeSync(fd, "goes on\n");
  closeSync(fd);
  expect(readFileSync(path, "utf8")).toBe("goes on\n");
  expect(statSync(`${path}.1`)).toMatchObject({ size: longLogBytes });
  expect(statSync(`${path}.1`).mode & 0o777).toBe(0o600);
  expect(readFileSync(`${path}.1`, "utf8")).toMatch(/\nthe end\n$/);
  expect(needsCare(path)).toBe(false);
});

test("a short one stays as it is", () => {
  const path = join(scratch(), "a.log");
  writeFileSync(path, "short\n");
  putAside(path);
  expect(readFileSync(path, "utf8")).toBe("short\n");
  expect(existsSync(`${path}.1`)).toBe(false);
});

test("where its end cannot be kept, it is begun anew all the same", () => {
  const path = join(scratch(), "a.log");
  writeFileSync(path, "");
  truncateSync(path, longLogBytes + 1);
  mkdirSync(`${path}.1.new`); // stands for a disk that is full
  writeFileSync(join(`${path}.1.new`, "x"), "");
  putAside(path);
  expect(statSync(path).size).toBe(0);
});

test("one that is gone, or is no file, needs care and is told", () => {
  const path = join(scratch(), "a.log");
  expect(needsCare(path)).toBe(true);
  expect(quote({ path, offset: 0 })).toMatch(/^\nthe log .*a\.log cannot be read: ENOENT/);
  mkdirSync(path);
  expect(needsCare(path)).toBe(true);
  expect(() => openLog(path)).toThrow(/^the log .*a\.log cannot be written: it is no file. Remove it/);
  deleteLog(path);
  expect(existsSync(path)).toBe(false);
});

test("a module's critical lines do not stand for why a process failed", () => {
  const path = join(scratch(), "a.log");
  writeFileSync(path, "[2026][7][critical][main] bad route\n");
  appendFileSync(path, "[2026][7][critical][wasm] [source/a.cc:1] wasm log x: all is lost\n".repeat(20));
  expect(lastWords({ path, offset: 0 })[0]).toBe("[2026][7][critical][main] bad route");
  rmSync(path);
});

test("a pipe in its place is told, and not waited for", () => {
  const path = join(scratch(), "a.log");
  execFileSync("mkfifo", [path]);
  expect(() => openLog(path)).toThrow(/^the log .*a\.log cannot be written: it is no file/);
});
