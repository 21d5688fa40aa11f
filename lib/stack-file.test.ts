import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { UserError } from "./errors.ts";
import { engineCopy, keyPath, readStackFile } from "./stack-file.ts";

const read = (text: string) => readStackFile(text, "Pulumi.local.yaml");
const filter = (value: string) => `config:\n  meshup:filters:\n    - config:\n        a:\n          - b: ${value}\n`;
const at = "meshup:filters[0].config.a[0].b: ";

describe("a value comes as it is written", () => {
  it.each(
    [
      "text",
      '"2024-01-01"',
      "'251985589757358482'",
      "yes",
      "off",
      "12:30:45",
      "true",
      "~",
      "null",
      "0x1F",
      "0o17",
      "1e3",
    ]
      .concat(["1.5", "9007199254740992", "v1.2", '"0777"', '".inf"', "!!str 2024-01-01", "127.0.0.1", "2024-13-01"])
      .concat(["|\n              2024-01-01", ">-\n              251985589757358482"]),
  )("%s", (value) => expect(read(filter(value))).toMatchObject({ problems: [], differences: [] }));
});

describe("a value that cannot come as it is written is named, with what to write", () => {
  it.each([
    ["251985589757358482", 'has more digits than a number keeps on its way: quote it: "251985589757358482"'],
    ["-9007199254740993", /^has more digits/],
    ["0xFFFFFFFFFFFFFFFF", /^has more digits/],
    ["0.1234567890123456789", /^has more digits/],
    ["1e400", /^has more digits/],
    [".inf", 'is no number that JSON has: quote it: ".inf"'],
    ["-.INF", /^is no number that JSON has/],
    [".nan", /^is no number that JSON has/],
    ["!!binary aGk=", "has the tag tag:yaml.org,2002:binary: leave it out, or quote the value"],
    ["!!timestamp 2024-01-01", /has the tag/],
    ["!!float 1", /has the tag/],
    ['"\\ud800"', /has half of a character/],
  ])("%s", (value, message) => {
    const { problems } = read(filter(value));
    expect(problems).toEqual([expect.stringContaining(at + value.replace(/^\S+ /, ""))]);
    expect(problems[0]?.slice(at.length + value.replace(/^\S+ /, "").length + 1)).toMatch(message);
  });

  it("each by its key, in the order of the file", () => {
    const text = [
      "config:",
      "  meshup:load: { capacity: .inf }",
      "  expect: [.nan]", // of the project, whose name is left out
      "  kubernetes:context: .inf", // another's: Pulumi alone reads it
    ].join("\n");
    expect(read(text).problems.map((line) => line.split(" ")[0])).toEqual([
      "meshup:load.capacity:",
      "meshup:expect[0]:",
    ]);
  });

  it("also behind an alias, and in what is merged", () => {
    const text = "base: &base { a: .nan }\nconfig:\n  meshup:x: *base\n  meshup:y:\n    <<: { b: .inf }\n";
    expect(read(text).problems.map((line) => line.split(" ")[0])).toEqual(["meshup:x.a:", "meshup:y.b:"]);
  });
});

describe("a value that Pulumi reads otherwise than YAML 1.2 is known, and means to the engine what YAML 1.2 has", () => {
  it.each([
    [
      "2024-01-01",
      "2024-01-01",
      '2024-01-01 is a date to Pulumi, which hands it on in another form: quote it: "2024-01-01"',
    ],
    ["2024-01-01T10:20:30Z", "2024-01-01T10:20:30Z", /^2024-01-01T10:20:30Z is a date/],
    ["0777", 777, '0777 is 511 to Pulumi and 777 in YAML 1.2: write 777, or quote it: "0777"'],
    ["1_000", "1_000", '1_000 is 1000 to Pulumi and text in YAML 1.2: quote it: "1_000"'],
    ["0b101", "0b101", /^0b101 is 5 to Pulumi and text/],
    ["-0x1F", "-0x1F", /^-0x1F is -31 to Pulumi and text/],
  ])("%s", (text, value, message) => {
    const { problems, differences } = read(filter(text));
    expect(problems).toEqual([]);
    expect(differences).toEqual([{ path: ["filters", 0, "config", "a", 0, "b"], value, message: expect.anything() }]);
    expect(differences[0]?.message.slice(at.length)).toMatch(message);
    const written = typeof value === "string" ? JSON.stringify(value) : String(value);
    expect(engineCopy(filter(text), "f", { namespace: "meshup" })).toBe(filter(written));
  });
});

describe("a character that Pulumi takes for the end of a line, or not at all", () => {
  it.each([
    ["'a\u2028b'", "\\u2028"],
    ["a\u2029b", "\\u2029"],
    ['"a\u0085b"', "\\u0085"],
  ])("%j is known, and is escaped in the copy", (text, escaped) => {
    const { problems, differences } = read(filter(text));
    expect(problems).toEqual([]);
    const message = `${at}has a character that ends a line to Pulumi: write it as "${escaped}", between double quotes`;
    expect(differences).toMatchObject([{ value: text.replace(/['"]/g, ""), message }]);
    expect(engineCopy(filter(text), "f", { namespace: "meshup" })).toBe(filter(`"a${escaped}b"`));
  });

  it.each(["\\u0085", "\\u2028", "\\u007f", "\\u0080", "\\ufeff", "\\uffff"])("%s stays escaped", (escaped) => {
    expect(read(filter(`"a${escaped}b"`))).toMatchObject({ problems: [], differences: [] });
    expect(engineCopy(filter(`"a${escaped}b"`), "f", { namespace: "meshup" })).toBe(filter(`"a${escaped}b"`));
  });

  it("in a block, a key and a comment", () => {
    const text = 'config:\n  meshup:x: # a\u2028b\n    "k\\x85": |\n      one\u2028two\n      three\n';
    const copy = engineCopy(text, "f", { namespace: "meshup" });
    expect(copy).toMatch(/^[\t\n -~]*$/);
    expect(parse(copy)).toEqual(parse(text));
  });
});

describe("keys", () => {
  it.each(["text", "1", "-1", "true", "yes", "on", '"1.0"', "x-key", "12:30:45"])(
    "%s comes as it is written",
    (key) => {
      const { problems, differences } = read(`config:\n  meshup:x: { ${key}: a }\n`);
      expect({ problems, differences }).toEqual({ problems: [], differences: [] });
    },
  );
  it.each(["1.0", "0x10", "True", "~", "1e3", "0777", "251985589757358482", ".inf", "!!int 1"])(
    "%s is named",
    (key) => {
      expect(read(`config:\n  meshup:x: { ${key}: a }\n`).problems).toEqual([
        expect.stringMatching(/^meshup:x: the key/),
      ]);
    },
  );
  it.each(["2024-01-01", "1_000"])("%s is text to the engine", (key) => {
    const { differences } = read(`config:\n  meshup:x: { ${key}: a }\n`);
    expect(differences).toEqual([{ path: ["x", key], message: expect.stringMatching(/^meshup:x: the key/) }]);
    expect(parse(engineCopy(`config:\n  meshup:x: { ${key}: a }\n`, "f", { namespace: "n" }))).toEqual({
      config: { "n:x": { [key]: "a" } },
    });
  });
});

it("the configuration is by key in full", () => {
  const text = "config:\n  meshup:a: 1\n  b: 2\n  meshup:config:c: 3\n  aws:region: x\nsecretsprovider: s\n";
  const { config, rest } = read(text);
  expect(config).toEqual({ "meshup:a": 1, "meshup:b": 2, "meshup:c": 3, "aws:region": "x" });
  expect(rest).toEqual({ secretsprovider: "s" });
});

it("secrets are found wherever they stand", () => {
  const text = [
    "shared: &shared { secure: v1:c }",
    "config:",
    "  meshup:whole: { secure: v1:a }",
    "  meshup:filters:",
    "    - { config: { x-key: { secure: v1:b }, other: { secure: 1 }, more: { secure: a, and: b }, l: [*shared] } }",
    "  aws:key: { secure: v1:d }",
  ].join("\n");
  expect(read(text).secrets).toEqual([["whole"], ["filters", 0, "config", "x-key"], ["filters", 0, "config", "l", 0]]);
});

describe("a file that Pulumi does not take", () => {
  it.each([
    ["- a\n", /Pulumi\.local\.yaml: a mapping is needed/],
    ["config: text\n", /Pulumi\.local\.yaml: config: a mapping is needed/],
    ["config: {\n", /is not YAML/],
    ["a: 1\na: 2\n", /is not YAML that Pulumi takes: Map keys must be unique/],
    ["a: 1\n---\nb: 2\n", /is not YAML that Pulumi takes: .*multiple documents/],
    ["config: *none\n", /is not YAML.*none/],
  ])("%j", (text, message) => {
    expect(() => read(text)).toThrow(message);
    expect(() => read(text)).toThrow(UserError);
  });
});

describe("the engine's copy", () => {
  const copy = (text: string, salt?: string) => engineCopy(text, "Pulumi.local.yaml", { namespace: "other", salt });

  it("has meshup's keys by another name, what Pulumi reads otherwise as YAML 1.2 has it, and all else as it is written", () => {
    const text = [
      "base: &base",
      "  meshup:kind: { name: a }",
      "config:",
      "  <<: *base",
      "  meshup:mesh: standalone # why",
      '  "meshup:a": { b: "2024-01-01", c: 2024-01-01, d: 251985589757358482, e: 0777, f: .inf, g: "yes", h: yes }',
      "  load: 'single'",
      "  meshup:config:old: 1.0",
      "  meshup:nothing:",
      "  aws:region: 0777",
      "",
    ].join("\n");
    expect(copy(text)).toBe(
      text
        .replaceAll("meshup:config:", "other:")
        .replaceAll("meshup:", "other:")
        .replace("  load:", "  other:load:")
        .replace("nothing:", "nothing: ~")
        .replace("c: 2024-01-01", 'c: "2024-01-01"')
        .replace("e: 0777", "e: 777"),
    );
  });

  it("says the same in JSON, in long lines and in blocks", () => {
    const value = {
      "meshup:a": [{ b: `${"word ".repeat(100)}end`, c: "two\nlines\n", d: "", e: " x ", f: "#", g: "é😀" }],
    };
    const expected = { config: { "other:a": value["meshup:a"] } };
    expect(parse(copy(JSON.stringify({ config: value })))).toEqual(expected);
    expect(
      parse(
        copy("config:\n  meshup:a:\n    - c: |\n        two\n        lines\n      d: >\n        one\n        line\n"),
      ),
    ).toEqual({
      config: { "other:a": [{ c: "two\nlines\n", d: "one line\n" }] },
    });
  });

  it.each([
    ["", "encryptionsalt: v1:a=:b\n"],
    ["# nothing yet\n", "encryptionsalt: v1:a=:b\n"],
    ["config: {}\n", "config: {}\nencryptionsalt: v1:a=:b\n"],
    ["{ config: {} }\n", "{ config: {}, encryptionsalt: v1:a=:b }\n"],
  ])("of %j with a salt", (text, expected) => expect(copy(text, "v1:a=:b")).toBe(expected));

  it("of nothing is an empty mapping", () => {
    expect(copy("# nothing yet\n")).toBe("{}\n");
    expect(copy("config:\n")).toBe("config: ~\n");
  });
});

it("keys are written as people do", () => {
  expect(keyPath(["filters", 0, "config", "x-key"])).toBe("filters[0].config.x-key");
});
