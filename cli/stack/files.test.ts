import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { UserError } from "../../lib/errors.ts";
import { stackAndName } from "../arguments/positionals.ts";
import {
  forgetSalt,
  mergeStack,
  projectFor,
  refreshOrKeepWorkspace,
  refreshWorkspace,
  requireStack,
  stackNames,
} from "./files.ts";

let clone: string;
const stateDir = () => join(clone, ".meshup");
const file = (name: string) => readFileSync(join(stateDir(), "workspaces/local", name), "utf8");
const write = (name: string, text: string) => writeFileSync(join(clone, name), text);

beforeEach(() => {
  clone = mkdtempSync(join(tmpdir(), "clone-"));
  write(
    "Pulumi.yaml",
    "name: meshup\nruntime: nodejs\nmain: index.ts\nplugins: {providers: [{name: meshup, path: ./provider}]}\n",
  );
  write("Pulumi.local.yaml", "config:\n  meshup:mesh: standalone # why\n");
});
afterEach(() => rmSync(clone, { recursive: true, force: true }));

describe("the engine's folder", () => {
  it("has the project with absolute paths and without what holds for the clone alone", () => {
    expect(refreshWorkspace(clone, stateDir(), "local")).toMatchObject({ project: "meshup" });
    expect(parse(file("Pulumi.yaml"))).toEqual({
      name: "meshup",
      runtime: "nodejs",
      plugins: { providers: [{ name: "meshup", path: join(clone, "provider") }] },
    });
  });

  it("keeps the engine's salt and takes every change of the clone; the clone's file stays as it is", () => {
    refreshWorkspace(clone, stateDir(), "local");
    writeFileSync(join(stateDir(), "workspaces/local/Pulumi.local.yaml"), "config: {}\nencryptionsalt: v1:abc\n");
    write("Pulumi.local.yaml", "config:\n  meshup:mesh: other\n");
    refreshWorkspace(clone, stateDir(), "local");
    expect(parse(file("Pulumi.local.yaml"))).toEqual({ config: { "meshup:mesh": "other" }, encryptionsalt: "v1:abc" });
    expect(readFileSync(join(clone, "Pulumi.local.yaml"), "utf8")).not.toContain("salt");
  });

  it("forgets the salt of a stack that is yet to be made", () => {
    refreshWorkspace(clone, stateDir(), "local");
    writeFileSync(join(stateDir(), "workspaces/local/Pulumi.local.yaml"), "config: {}\nencryptionsalt: v1:abc\n");
    forgetSalt(clone, stateDir(), "local");
    expect(file("Pulumi.local.yaml")).not.toContain("salt");
  });

  it("is not written where nothing has changed", () => {
    refreshWorkspace(clone, stateDir(), "local");
    const before = statSync(join(stateDir(), "workspaces/local/Pulumi.local.yaml")).ino;
    refreshWorkspace(clone, stateDir(), "local");
    expect(statSync(join(stateDir(), "workspaces/local/Pulumi.local.yaml")).ino).toBe(before);
  });

  it("takes an empty stack file", () => {
    write("Pulumi.local.yaml", "# nothing yet\n");
    refreshWorkspace(clone, stateDir(), "local");
    expect(parse(file("Pulumi.local.yaml"))).toEqual({});
  });

  it.each([
    ["- a list\n", /Pulumi\.local\.yaml: a mapping is needed/],
    [
      "config:\n  - a\n",
      /Pulumi\.local\.yaml: config: a mapping is needed, such as\nconfig:\n {2}meshup:mesh: standalone/,
    ],
    ["config: text\n", /Pulumi\.local\.yaml: config: a mapping is needed/],
    ["config: {\n", /Pulumi\.local\.yaml is not YAML/],
  ])("refuses %j", (text, message) => {
    write("Pulumi.local.yaml", text);
    expect(() => refreshWorkspace(clone, stateDir(), "local")).toThrow(message);
    expect(() => refreshWorkspace(clone, stateDir(), "local")).toThrow(UserError);
  });

  it("takes `config:` with nothing under it", () => {
    write("Pulumi.local.yaml", "config:\n");
    expect(refreshWorkspace(clone, stateDir(), "local").config).toEqual({});
  });

  it.each([
    ["Pulumi.local.yaml", "config: {\n"],
    ["Pulumi.local.yaml", "config:\n  - a\n"],
    ["Pulumi.yaml", "- a list\n"],
  ])("stays as it was, with a note, where that is asked for: %s with %j", (name, text) => {
    const before = refreshWorkspace(clone, stateDir(), "local");
    write(name, text);
    const notes: string[] = [];
    const kept = refreshOrKeepWorkspace(clone, stateDir(), "local", (line) => notes.push(line));
    expect(kept).toEqual(before);
    expect(kept.config).toEqual({ "meshup:mesh": "standalone" });
    expect(notes).toEqual([expect.stringMatching(new RegExp(`${name}.*[\\s\\S]*Going by the copy of the last run`))]);
  });

  it("cannot stay where there is none yet", () => {
    write("Pulumi.local.yaml", "config: {\n");
    expect(() => refreshOrKeepWorkspace(clone, stateDir(), "local", () => {})).toThrow(UserError);
  });
});

describe("the merge", () => {
  const kept = { config: { a: 1 }, encryptionsalt: "kept" };
  it.each([
    [{ config: {} }, { config: {}, encryptionsalt: "kept" }],
    [{ encryptionsalt: "own" }, { encryptionsalt: "own" }],
    [
      { secretsprovider: "awskms://x", encryptedkey: "k" },
      { secretsprovider: "awskms://x", encryptedkey: "k" },
    ],
  ])("of %j", (own, merged) => {
    expect(mergeStack(own, kept)).toEqual(merged);
  });

  it("has no salt where none was made", () => {
    expect(mergeStack({ config: {} }, {})).toEqual({ config: {} });
  });
});

it("leaves absolute paths and other keys of the project", () => {
  const project = {
    name: "x",
    backend: { url: "file://." },
    stackConfigDir: "s",
    plugins: { analyzers: [{ path: "/a" }] },
  };
  expect(projectFor(project, "/c")).toEqual({
    name: "x",
    backend: { url: "file://." },
    plugins: { analyzers: [{ path: "/a" }] },
  });
});

describe("stack names", () => {
  it("are those of the files, and of no others", () => {
    for (const name of ["Pulumi.dev.yaml", "Pulumi.dev.yaml.bak", "Pulumi..yaml", "NotPulumi.x.yaml"]) write(name, "");
    mkdirSync(join(clone, "sub"));
    expect(stackNames(clone)).toEqual(["dev", "local"]);
  });

  it("of an unknown stack lead to those that there are", () => {
    expect(() => requireStack(clone, "prod")).toThrow(/no stack "prod".*the stacks are local/);
    expect(() => requireStack(clone, "local")).not.toThrow();
  });
});

describe("[STACK] [NAME]", () => {
  it.each([
    [[], "local", undefined],
    [["dev"], "dev", undefined],
    [["echo"], "local", "echo"],
    [["dev", "echo"], "dev", "echo"],
  ])("%j", (positionals, stack, rest) => {
    expect(stackAndName(positionals, "NAME", ["local", "dev"])).toEqual({ stack, rest });
  });

  it("refuses a first that is no stack", () => {
    expect(() => stackAndName(["prod", "echo"], "NAME", ["local"])).toThrow(/no stack "prod"; the stacks are local/);
  });
});
