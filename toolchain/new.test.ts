import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { UserError } from "../lib/errors.ts";
import { declareFilter, undeclareFilter } from "./declare.ts";
import { scaffold } from "./new.ts";

let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "meshup-new-"));
});

afterEach(() => rm(scratch, { recursive: true }));

const declaration = {
  name: "mine",
  module: "./filters/mine",
  root: "mine",
  config: { "x-mine": "hello" },
  target: { route: "one" },
};

test("a scaffold has a source, cases and a declaration that belong together", async () => {
  const made = await scaffold("mine", scratch, "one");
  const folder = join(scratch, "filters/mine");
  expect(made.declaration).toEqual(declaration);
  expect(made.files.map((file) => file.slice(folder.length + 1))).toEqual([
    "assembly/index.ts",
    "assembly/tsconfig.json",
    "cases.yaml",
  ]);
  expect((await readdir(folder)).sort()).toEqual(["assembly", "cases.yaml"]);
  expect(await readFile(join(folder, "assembly/index.ts"), "utf8")).toContain(`registerRoot("mine",`);
  const { cases } = parse(await readFile(join(folder, "cases.yaml"), "utf8"));
  expect(cases[0]).toMatchObject({ root: "mine", config: declaration.config });
});

test("the longest and the shortest name can be had", async () => {
  await scaffold("a", scratch, "one");
  await scaffold("a".repeat(63), scratch, "one");
  expect((await readdir(join(scratch, "filters"))).length).toBe(2);
});

test.for(["", "Mine", "my_filter", "-mine", "mine-", "a/b", "..", "a".repeat(64), "mine\n"])(
  "%j cannot be a name, and nothing is written",
  async (name) => {
    await expect(scaffold(name, scratch, "one")).rejects.toThrow(
      "cannot be a filter's name: it must be 1 to 63 of a-z",
    );
    expect(await readdir(scratch)).toEqual([]);
  },
);

test("what is there is not overwritten", async () => {
  const made = await scaffold("mine", scratch, "one");
  const [source = ""] = made.files;
  const before = await readFile(source, "utf8");
  await expect(scaffold("mine", scratch, "one")).rejects.toThrow(UserError);
  await expect(scaffold("mine", scratch, "one")).rejects.toThrow(/filters\/mine is there already/);
  expect(await readFile(source, "utf8")).toBe(before);
});

test("a declaration is added at the end, and nothing else changes", () => {
  const before = `# the stack
encryptionsalt: "v1:abc=" # kept

config:
  meshup:ports: { gateway: 10000 }
  # filters, in order
  meshup:filters:
    - name: custom # the first
      root: add_header_root
      config: { x-wasm-custom: FOO }
      target: { route: echo }
  meshup:mesh: standalone
`;
  const added = `    - name: mine
      module: ./filters/mine
      root: mine
      config: { x-mine: hello }
      target: { route: one }
`;
  expect(declareFilter(before, declaration)).toBe(before.replace("  meshup:mesh", `${added}  meshup:mesh`));
});

test("a list that is not further in than its key stays so", () => {
  const before = `config:
  meshup:filters:
  - name: custom
    root: add_header_root
`;
  const after = declareFilter(before, declaration);
  expect(after.startsWith(before)).toBe(true);
  expect(after).toContain("\n  - name: mine\n    module: ./filters/mine\n");
});

test.for([
  ["an empty file", ""],
  ["comments only", "# nothing yet\n"],
  ["no configuration", "encryptionsalt: v1\n"],
  ["an empty configuration", "config:\n"],
  ["no filters", "config:\n  meshup:mesh: standalone\n"],
  ["filters that are null", "config:\n  meshup:filters:\n"],
  ["an empty list", "config:\n  meshup:filters: []\n"],
] as const)("a declaration is added to %s", ([, before]) => {
  const after = declareFilter(before, declaration);
  const parsed = parse(after);
  expect(parsed.config["meshup:filters"]).toEqual([declaration]);
  expect({ ...parsed, config: undefined }).toEqual({ ...(parse(before) ?? {}), config: undefined });
  expect(after).toContain("config: { x-mine: hello }");
  if (before.startsWith("#")) expect(after).toContain("# nothing yet");
});

test.for([
  ["config:\n  meshup:filters:\n    - name: mine\n", `A filter "mine" is declared in "meshup:filters" already.`],
  ["config: [", "The stack's file is not YAML: "],
  ["- a\n", "The stack's file must be a mapping."],
  ["config: 3\n", `"config" must be a mapping.`],
  ["config:\n  meshup:filters: { a: 1 }\n", `"meshup:filters" must be a list.`],
] as const)("%j is refused", ([text, message]) => {
  expect(() => declareFilter(text, declaration)).toThrow(message);
});

/** As nobody would write it, and as a person may have. */
const oddFile = `\ufeff# mine
config:   # all of it
    "meshup:ports":   { gateway:   10000,admin: 9901 }
    meshup:filters:
      # the first
      -   name: 'a'     # why

          config: {a:   1,
             b: 2}
      # the second
      - { name:  b }    # short
      # the third
      - name: c
        script: |
            one
              two
        # within c

    # after all of them
    meshup:text:  >-
      folded
      text
    meshup:mesh:   standalone
`;

test.for([
  ["with line ends as in Unix", "\n"],
  ["with line ends as in Windows", "\r\n"],
])("a file %s: every other line stays as it is, to the byte", ([, end]) => {
  const before = oddFile.replaceAll("\n", end as string);
  const after = declareFilter(before, declaration);
  const added = [
    "      - name: mine",
    "        module: ./filters/mine",
    "        root: mine",
    "        config: { x-mine: hello }",
    "        target: { route: one }",
    "",
  ].join(end);
  expect(after).toBe(before.replace(`        # within c${end}`, `        # within c${end}${added}`));
  expect(undeclareFilter(after, "mine")).toBe(before);
  expect(undeclareFilter(before, "b")).toBe(
    before.replace(`      # the second${end}      - { name:  b }    # short${end}`, ""),
  );
  expect(undeclareFilter(before, "a")).toContain(`      # the first${end}      # the second${end}      - { name:  b }`);
});

test.for([
  ["config:\r\n  meshup:filters: []\r\n  meshup:mesh: x", "config:\r\n  meshup:filters:\r\n    - name: mine\r\n"],
  ["config:\r\n  meshup:filters: # none\r\n", "config:\r\n  meshup:filters: # none\r\n    - name: mine\r\n"],
  ["config:\r\n  meshup:mesh:  x", "config:\r\n  meshup:mesh:  x\r\n  meshup:filters:\r\n    - name: mine\r\n"],
  ["config: { meshup:mesh: x }\r\n", "config: { meshup:mesh: x,"],
  ["\ufeffconfig: {}\r\n", "\ufeffconfig:"],
] as const)("%j keeps its line ends", ([before, begins]) => {
  const after = declareFilter(before, declaration);
  expect(after.startsWith(begins)).toBe(true);
  expect(after.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
  expect(parse(after).config["meshup:filters"]).toEqual([declaration]);
});

test("a filter that is taken out leaves the others and their comments as they were", () => {
  const text =
    "config:\n  meshup:filters:\n    # first\n    - { name: a, target: { route: one } }\n    # second\n    - name: b\n";
  expect(undeclareFilter(text, "b")).toBe(
    "config:\n  meshup:filters:\n    # first\n    - { name: a, target: { route: one } }\n",
  );
  expect(parse(undeclareFilter(text, "a"))).toEqual({ config: { "meshup:filters": [{ name: "b" }] } });
});

test("the last one leaves an empty list", () => {
  const text = undeclareFilter(declareFilter("config: {}\n", declaration), "mine");
  expect(parse(text)).toEqual({ config: { "meshup:filters": [] } });
  expect(parse(declareFilter(text, declaration)).config["meshup:filters"]).toEqual([declaration]);
});

test.for([
  ["config:\n  meshup:filters: [{ name: a }, { name: b }]\n", /No filter "c".*there are a, b/],
  ["config: {}\n", /there are none/],
  ["", /there are none/],
  ["a: [", /not YAML/],
])("one that is not there cannot be taken out: %j", ([text, message]) => {
  expect(() => undeclareFilter(text as string, "c")).toThrow(message as RegExp);
});
