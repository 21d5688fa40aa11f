// The filter's JSON reader (filter/assembly/sdk/json.ts), compiled and held against JSON.parse.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildModule } from "../build.ts";
import { resolveModule } from "../source.ts";

const harness = `
import { parseObject } from "meshup";

export function allocate(size: i32): usize {
  return changetype<usize>(new ArrayBuffer(size));
}

/** UTF-16 in; out: the problem, then name, kind and text of each member, each after its length. */
export function parse(at: usize, size: usize): usize {
  const object = parseObject(String.UTF16.decodeUnsafe(at, size));
  const parts: string[] = [object.problem];
  for (let i = 0; i < object.members.length; i++) {
    const member = object.members[i];
    parts.push(member.name);
    parts.push(String.fromCharCode(0x30 + <i32>member.kind));
    parts.push(member.text);
  }
  let result = "";
  for (let i = 0; i < parts.length; i++) result += parts[i].length.toString() + ":" + parts[i];
  return changetype<usize>(String.UTF16.encode(result));
}
`;

interface Parsed {
  problem: string;
  members: [name: string, kind: string, text: string][];
}

let scratch: string;
let parse: (text: string) => Parsed;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "meshup-json-"));
  await writeFile(join(scratch, "index.ts"), harness);
  await writeFile(join(scratch, "asconfig.json"), `{"options": {"runtime": "stub", "optimizeLevel": 1}}`);
  const { path } = await buildModule(await resolveModule(scratch), join(scratch, "modules"));
  const module = new WebAssembly.Module(await readFile(path));
  const anything = new Proxy({}, { get: () => () => 0 });
  const imports = new Proxy({}, { get: () => anything }) as Record<string, Record<string, unknown>>;
  parse = (text) => {
    const { exports } = new WebAssembly.Instance(module, imports);
    const { memory, allocate, parse } = exports as unknown as {
      memory: WebAssembly.Memory;
      allocate: (size: number) => number;
      parse: (at: number, size: number) => number;
    };
    const at = allocate(text.length * 2);
    for (let i = 0; i < text.length; i++) {
      new DataView(memory.buffer).setUint16(at + 2 * i, text.charCodeAt(i), true);
    }
    return decode(memory, parse(at, text.length * 2));
  };
});

afterAll(() => rm(scratch, { recursive: true }));

function decode(memory: WebAssembly.Memory, at: number): Parsed {
  const size = new DataView(memory.buffer).getUint32(at - 4, true); // AssemblyScript's object header
  const units = new Uint16Array(memory.buffer.slice(at, at + size));
  let text = "";
  for (const unit of units) text += String.fromCharCode(unit);
  const parts: string[] = [];
  while (text !== "") {
    const colon = text.indexOf(":");
    const end = colon + 1 + Number(text.slice(0, colon));
    parts.push(text.slice(colon + 1, end));
    text = text.slice(end);
  }
  const [problem = "", ...rest] = parts;
  const kinds = ["string", "number", "boolean", "null", "object", "array"];
  const members: Parsed["members"] = [];
  for (let i = 0; i < rest.length; i += 3)
    members.push([rest[i] ?? "", kinds[Number(rest[i + 1])] ?? "", rest[i + 2] ?? ""]);
  return { problem, members };
}

/** What JSON.parse makes of it, in the reader's terms; undefined when it is not one object. */
function expected(text: string): Parsed["members"] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value).map(([name, item]) => {
    if (item === null) return [name, "null", ""];
    if (Array.isArray(item)) return [name, "array", ""];
    if (typeof item === "object") return [name, "object", ""];
    return [name, typeof item, String(item)];
  });
}

test("members are given as JSON.parse gives them", () => {
  // Names begin with a letter: JavaScript sorts those that are numbers.
  const name = fc.string({ unit: "binary" }).map((text) => `n${text}`);
  const scalar = fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean(), fc.constant(null));
  const value = fc.oneof(scalar, fc.array(scalar), fc.dictionary(name, scalar));
  fc.assert(
    fc.property(fc.dictionary(name, value), fc.constantFrom(0, 2, "\t"), (object, indent) => {
      const text = JSON.stringify(object, null, indent);
      expect(parse(text)).toEqual({ problem: "", members: expected(text) });
    }),
  );
});

test("what JSON.parse refuses is refused, and nothing else", () => {
  const pieces = [
    '"a"',
    '"b"',
    ":",
    ",",
    "{",
    "}",
    "[",
    "]",
    "1",
    "-0.5e+3",
    "01",
    "1.",
    "true",
    "nul",
    "null",
    " ",
    "\\",
  ];
  const soup = fc.array(fc.constantFrom(...pieces), { maxLength: 8 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(
      fc.oneof(
        soup,
        soup.map((text) => `{"a":${text}}`),
      ),
      (text) => {
        expect(parse(text).problem === "").toBe(expected(text) !== undefined);
      },
    ),
    { numRuns: 2000 },
  );
});

test("every escape is read, and a pair of surrogates is one character", () => {
  expect(parse(String.raw`{"a": "\"\\\/\b\f\n\r\t\u00e9\u20AC\ud83d\ude00"}`).members).toEqual([
    ["a", "string", '"\\/\b\f\n\r\té€😀'],
  ]);
});

test("numbers are kept as they are written", () => {
  expect(parse(`{"a": -1.50E+2, "b": 0}`).members).toEqual([
    ["a", "number", "-1.50E+2"],
    ["b", "number", "0"],
  ]);
});

test.for([
  ["", "there is no JSON value (offset 0)"],
  ["  ", "there is no JSON value (offset 2)"],
  ["[]", "an object must begin here (offset 0)"],
  ["{} {}", "nothing may follow the object (offset 3)"],
  ['{"a" 1}', "':' is missing (offset 5)"],
  ['{"a": }', "a value must begin here (offset 6)"],
  ['{"a": 1', "',' or '}' is missing (offset 7)"],
  ['{"a": 1,}', "a string must begin here (offset 8)"],
  ['{"a": [1}', "',' or ']' is missing (offset 8)"],
  ['{"a": "b', "the string has no end (offset 8)"],
  ['{"a": "\n"}', "a control character must be escaped (offset 7)"],
  [String.raw`{"a": "\x"}`, "there is no such escape (offset 7)"],
  [String.raw`{"a": "\u12g4"}`, "\\u needs four hexadecimal digits (offset 7)"],
  [String.raw`{"a": "\ud83d"}`, "half of a surrogate pair (offset 7)"],
  [String.raw`{"a": "\ud83d\u0041"}`, "half of a surrogate pair (offset 7)"],
  [String.raw`{"a": "\ude00\ud83d"}`, "half of a surrogate pair (offset 7)"],
  ['{"a": 012}', "a number cannot begin with 0 (offset 6)"],
  ['{"a": -}', "a digit is missing (offset 7)"],
  [`{"a": ${"[".repeat(33)}${"]".repeat(33)}}`, "values are nested more than 32 deep (offset 38)"],
] as const)("%s: %s", ([text, problem]) => {
  expect(parse(text).problem).toBe(problem);
});
