import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { diskProblem, diskProblemIn, diskProblemsSaid, fullDisk, withPath } from "./disk.mjs";
import { DiskError, mendable, UserError } from "./errors.ts";
import { makePrivateFolder, readText, removeEmpty, rewrite, writeWhole } from "./files.ts";

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "files-"));
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

/** As Node throws it where it was writing: without the path. */
const failure = (code: string, more: object = {}) =>
  Object.assign(new Error(`${code}: …, write`), { code, syscall: "write", ...more });

describe("a file is written whole", () => {
  it("with its folder, in the mode that is asked for, and nothing beside it", () => {
    writeWhole(join(base, "a/b/c"), "text", 0o600);
    expect(readFileSync(join(base, "a/b/c"), "utf8")).toBe("text");
    expect(statSync(join(base, "a/b/c")).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(base, "a/b"))).toEqual(["c"]);
  });

  it("or not at all: neither a half nor a folder for it is left, and the error has the path", () => {
    mkdirSync(join(base, "taken"));
    writeFileSync(join(base, "taken/in"), "");
    expect(() => writeWhole(join(base, "taken"), "text")).toThrow(); // a folder cannot be replaced by a file
    expect(readdirSync(base)).toEqual(["taken"]);
    // A name of this length there is room for, and for the one beside it there is not.
    expect(() => writeWhole(join(base, "new/folder", "n".repeat(250)), "")).toThrow(/ENAMETOOLONG/);
    expect(existsSync(join(base, "new"))).toBe(false);
  });

  it("of the person's it keeps the permissions, and the link to it", () => {
    writeFileSync(join(base, "real"), "before");
    chmodSync(join(base, "real"), 0o664);
    symlinkSync("real", join(base, "link"));
    rewrite(join(base, "link"), "after");
    expect(lstatSync(join(base, "link")).isSymbolicLink()).toBe(true);
    expect(readFileSync(join(base, "real"), "utf8")).toBe("after");
    expect(statSync(join(base, "real")).mode & 0o777).toBe(0o664);
  });
});

it("a private folder is nobody else's to look into, also one that was there", () => {
  mkdirSync(join(base, "there"), { mode: 0o755 });
  for (const name of ["there", "new/inner"]) {
    makePrivateFolder(join(base, name));
    expect(statSync(join(base, name)).mode & 0o777).toBe(0o700);
  }
});

it("empty folders go up to the one that was made, and no further than the first that is not empty", () => {
  mkdirSync(join(base, "a/b/c"), { recursive: true });
  writeFileSync(join(base, "a/file"), "");
  removeEmpty(join(base, "a/b/c"), join(base, "a"));
  expect(readdirSync(join(base, "a"))).toEqual(["file"]);
});

describe("a disk's problem is one line with the folder", () => {
  it.each([
    ["ENOSPC", "its disk is full: free some space"],
    ["EDQUOT", "your quota of its disk is used up: free some space"],
    ["EROFS", "its disk is read-only: use another folder"],
    ["EACCES", "you have no permission: change that"],
    ["EPERM", "you have no permission: change that"],
  ])("%s", (code, reason) => {
    const line = `${base} cannot be written to: ${reason}, and run the command again (${code}).`;
    expect(diskProblem(failure(code, { path: join(base, "not/yet/there") }))).toBe(line);
    const thrown = () =>
      withPath(join(base, "file"), () => {
        throw failure(code);
      });
    expect(thrown).toThrow(expect.objectContaining({ path: join(base, "file") }));
    expect(mendable(failure(code, { path: base }))).toEqual(new DiskError(line));
  });

  it("a rename names where to", () => {
    expect(diskProblem(failure("ENOSPC", { path: "/elsewhere/x", dest: join(base, "y") }))).toContain(`${base} cannot`);
  });

  it("is none of any other error, nor of one without a place", () => {
    expect(diskProblem(failure("ENOENT", { path: base }))).toBeUndefined();
    expect(diskProblem(failure("EACCES", { syscall: "connect" }))).toBeUndefined();
    expect(diskProblem("ENOSPC")).toBeUndefined();
    expect(mendable(new Error("x"))).toBeUndefined();
    const ours = new UserError("x");
    expect(mendable(ours)).toBe(ours);
  });

  it.each([
    ["pip", "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "ENOSPC"],
    ["npm", "npm error code ENOSPC\nnpm error nospc There appears to be insufficient space on your system", "ENOSPC"],
    ["Go", "write /x/y: no space left on device", "ENOSPC"],
    ["Go", "mkdir /x: read-only file system", "EROFS"],
    ["a quota", "write error: Disk quota exceeded", "EDQUOT"],
  ])("is known in the words of %s", (_, text, code) => {
    expect(diskProblemIn(text, [join(base, "new")])).toMatch(
      new RegExp(`^${base} cannot be written to: .*\\(${code}\\)\\.$`),
    );
  });

  it("is none in other words", () => {
    expect(diskProblemIn("npm error network ECONNREFUSED", [base])).toBeUndefined();
    expect(diskProblemIn("", [base])).toBeUndefined();
  });

  it("is found in what the engine hands on, once however many resources it stopped", () => {
    const line = mendable(failure("ENOSPC", { path: base }))?.message as string;
    expect(diskProblemsSaid(`Module filter: ${line}\nProcess echo: ${line}\nanother`)).toEqual([line]);
  });

  it("a disk with room is not full", () => {
    expect(fullDisk(base)).toBeUndefined();
  });
});

it("a person's file in another encoding is told, with the line, and never read as other characters", () => {
  const path = join(base, "a.yaml");
  writeFileSync(path, "a: Grüße 😀\n");
  expect(readText(path)).toBe("a: Grüße 😀\n");
  writeFileSync(path, Buffer.from("a: 1\nb: Gr\xfc\xdfe\n", "latin1"));
  expect(() => readText(path)).toThrow(/a\.yaml is not UTF-8 \(line 2\): save it in that encoding\.$/);
});
