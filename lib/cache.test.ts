import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CacheError, makeCacheFolder } from "./cache.ts";
import { UserError } from "./errors.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "cache-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

it("makes the folder and those above it, and takes one that is there", () => {
  const folder = join(base, "a", "b");
  expect(makeCacheFolder(folder, "install it")).toBe(folder);
  expect(existsSync(folder)).toBe(true);
  expect(makeCacheFolder(folder, "install it")).toBe(folder);
});

it.each([
  ["below a file (ENOTDIR)", "file/cache"],
  ["that is a file (EEXIST)", "file"],
])("a folder %s: names it and the ways out", (_what, path) => {
  writeFileSync(join(base, "file"), "");
  const making = () => makeCacheFolder(join(base, path), "install Envoy");
  expect(making).toThrow(CacheError);
  expect(making).toThrow(UserError);
  expect(making).toThrow(`The cache folder ${join(base, path)} cannot be written to (E`);
  expect(making).toThrow(/set XDG_CACHE_HOME to a folder of yours, or install Envoy\.$/);
});
