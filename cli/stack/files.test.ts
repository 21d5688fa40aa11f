import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { UserError } from "../../lib/errors.ts";
import { stackAndName } from "../arguments/positionals.ts";
import {
  forgetSalt,
  hasSecrets,
  prepareToTakeDown,
  projectFor,
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
    expect(refreshWorkspace(clone, stateDir(), "local").config).toEqual({ "meshup:mesh": "other" });
    expect(parse(file("Pulumi.local.yaml"))).toEqual({
      config: { "meshup-config:mesh": "other" },
      encryptionsalt: "v1:abc",
    });
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

  it("is nobody else's to look into", () => {
    refreshWorkspace(clone, stateDir(), "local");
    expect(statSync(join(stateDir(), "workspaces/local")).mode & 0o777).toBe(0o700);
    expect(statSync(join(stateDir(), "workspaces/local/Pulumi.local.yaml")).mode & 0o777).toBe(0o600);
  });

  it("is not made where the file has values that cannot come as they are written: every one is named", () => {
    write("Pulumi.local.yaml", "config:\n  meshup:load: { a: .nan, b: 251985589757358482 }\n");
    expect(() => refreshWorkspace(clone, stateDir(), "local")).toThrow(UserError);
    expect(() => refreshWorkspace(clone, stateDir(), "local")).toThrow(
      /Pulumi\.local\.yaml has 2 problems:\n {2}meshup:load\.a: \.nan is no number.*\n {2}meshup:load\.b: 251985589757358482 has more digits/,
    );
  });
});

describe("the salt and other keepers of secrets", () => {
  const copy = () => parse(file("Pulumi.local.yaml"));
  beforeEach(() => {
    refreshWorkspace(clone, stateDir(), "local");
    // As the engine leaves a file that was written in brackets.
    writeFileSync(
      join(stateDir(), "workspaces/local/Pulumi.local.yaml"),
      '{ config: {}, encryptionsalt: "v1:kept" }\n',
    );
  });

  it.each([
    ["config: {}\n", { config: {}, encryptionsalt: "v1:kept" }],
    ["config: {}\nencryptionsalt: v1:own\n", { config: {}, encryptionsalt: "v1:own" }],
    ["secretsprovider: awskms://x\nencryptedkey: k\n", { secretsprovider: "awskms://x", encryptedkey: "k" }],
    ["{}\n", { encryptionsalt: "v1:kept" }],
  ])("of %j: the clone's file wins", (text, expected) => {
    write("Pulumi.local.yaml", text);
    refreshWorkspace(clone, stateDir(), "local");
    expect(copy()).toEqual(expected);
  });
});

describe("to take a stack down", () => {
  const takeDown = () => {
    const notes: string[] = [];
    const workspace = prepareToTakeDown(clone, stateDir(), "local", (line) => notes.push(line));
    return { ...workspace, notes, file: parse(readFileSync(join(workspace.folder, "Pulumi.local.yaml"), "utf8")) };
  };
  beforeEach(() => {
    refreshWorkspace(clone, stateDir(), "local");
    writeFileSync(
      join(stateDir(), "workspaces/local/Pulumi.local.yaml"),
      "config: { meshup-config:mesh: standalone }\nencryptionsalt: v1:kept\n",
    );
  });

  it("there is no configuration, whatever the file has, and the salt", () => {
    write(
      "Pulumi.local.yaml",
      `config:\n  meshup:mesh: standalone\n  meshup:filters: [${"x".repeat(200_000)}, .inf]\n`,
    );
    const { notes, file, project, config } = takeDown();
    expect(file).toEqual({ encryptionsalt: "v1:kept" });
    expect({ notes, project, mesh: config["meshup:mesh"] }).toEqual({
      notes: [],
      project: "meshup",
      mesh: "standalone",
    });
  });

  it("what keeps the secrets, and the environment, come from the clone's file", () => {
    write("Pulumi.local.yaml", "secretsprovider: awskms://x\nencryptedkey: k\nenvironment: [dev]\nconfig: {}\n");
    expect(takeDown().file).toEqual({ secretsprovider: "awskms://x", encryptedkey: "k", environment: ["dev"] });
  });

  it.each(["config: {\n", "config:\n  - a\n", "- a list\n", "a: 1\na: 2\n", "a: 1\n---\nb: 1\n", "\u0000"])(
    "a file with %j is no hindrance: that is said, and the last copy tells which mesh it was",
    (text) => {
      write("Pulumi.local.yaml", text);
      const { notes, file, config } = takeDown();
      expect(file).toEqual({ encryptionsalt: "v1:kept" });
      expect(config).toEqual({ "meshup:mesh": "standalone" });
      expect(notes).toEqual([expect.stringMatching(/Pulumi\.local\.yaml[\s\S]*not needed to take the stack down/)]);
    },
  );

  it("a salt is found in a file that is no YAML", () => {
    write("Pulumi.local.yaml", 'config: {\nencryptionsalt: "v1:own"\n');
    expect(takeDown().file).toEqual({ encryptionsalt: "v1:own" });
  });

  it("neither the stack's file nor the project's has to be there", () => {
    rmSync(join(clone, "Pulumi.local.yaml"));
    write("Pulumi.yaml", "- a list\n");
    const { notes, file, project } = takeDown();
    expect({ file, project }).toEqual({ file: { encryptionsalt: "v1:kept" }, project: "meshup" });
    expect(notes).toEqual([expect.stringMatching(/Pulumi\.yaml: a mapping is needed/)]);
  });
});

it("leaves absolute paths and other keys of the project", () => {
  const project = {
    name: "x",
    config: { "meshup:load": { value: 1 }, "aws:region": { value: "r" } },
    backend: { url: "file://." },
    stackConfigDir: "s",
    plugins: { analyzers: [{ path: "/a" }] },
  };
  expect(projectFor(project, "/c")).toEqual({
    name: "x",
    backend: { url: "file://." },
    config: { "meshup-config:load": { value: 1 }, "aws:region": { value: "r" } },
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

describe("secrets in a stack's file", () => {
  const secret = "config:\n  meshup:filters:\n    - config: { a: { secure: v1:x } }\n";
  it.each([
    [`${secret}encryptionsalt: v1:y\n`, true],
    [`${secret}encryptionsalt: v1:y\n: {`, true],
    [secret, false], // kept with something else
    ["config: {}\nencryptionsalt: v1:y\n", false],
    ["config: {\n", false],
  ])("of %j that the passphrase keeps: %j", (text, expected) => expect(hasSecrets(text, "f")).toBe(expected));
});
