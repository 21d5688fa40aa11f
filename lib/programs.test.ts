import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { scratch } from "../provider/testing/scratch.ts";
import { isExecutable, programPath } from "./programs.ts";

/** A folder with a program, one of another mode, and a folder of a program's name. */
function setUp(name = "bin") {
  const folder = join(scratch(), name);
  mkdirSync(join(folder, "sub"), { recursive: true });
  for (const [file, mode] of [
    ["serve", 0o755],
    ["text", 0o644],
  ] as const) {
    writeFileSync(join(folder, file), "#!/bin/sh\n");
    chmodSync(join(folder, file), mode);
  }
  return folder;
}

test("the first folder of PATH that has it", () => {
  const [one, two] = [setUp(), setUp()];
  expect(programPath("serve", { PATH: `/nowhere:${one}:${two}` })).toBe(join(one, "serve"));
});

test.each(["nobody", "text", "sub"])("%s is no program", (name) => {
  const folder = setUp();
  expect(programPath(name, { PATH: folder })).toBeUndefined();
  expect(programPath(`./${name}`, {}, folder)).toBeUndefined();
  expect(isExecutable(join(folder, name))).toBe(false);
});

test("a relative folder of PATH begins where the program is to run, and an empty one is that folder", () => {
  const folder = setUp();
  expect(programPath("serve", { PATH: "bin" }, join(folder, ".."))).toBe(join(folder, "serve"));
  expect(programPath("serve", { PATH: relative(process.cwd(), folder) })).toBe(join(folder, "serve"));
  expect(programPath("serve", { PATH: ":/usr/bin" }, folder)).toBe(join(folder, "serve"));
});

test("a path is not looked for on PATH", () => {
  const folder = setUp();
  expect(programPath("./serve", { PATH: folder }, folder)).toBe(join(folder, "serve"));
  expect(programPath("./serve", { PATH: folder }, join(folder, "sub"))).toBeUndefined();
  expect(programPath("../serve", {}, join(folder, "sub"))).toBe(join(folder, "serve"));
});

test("a folder with a colon in its name", () => {
  const folder = setUp("a:b");
  expect(programPath("serve", { PATH: "." }, folder)).toBe(join(folder, "serve"));
});
