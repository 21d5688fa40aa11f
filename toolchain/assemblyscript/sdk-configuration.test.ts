// The filter's configurations, held against a reference: a hundred thousand random ones, in one VM that stays as small as
// it is.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PluginRefused } from "../../host/abi/errors.ts";
import { Plugin } from "../../host/plugin/plugin.ts";
import { ofConnection } from "../../lib/header-text.ts";
import { buildModule } from "../build.ts";
import { resolveModule } from "../source.ts";

const rootIds = ["add_header_root", "load_feedback_root"] as const;
type RootId = (typeof rootIds)[number];

/** What comes of a configuration: the headers on responses, or the reason of the refusal. */
type Outcome = { headers: Record<string, string> } | { refused: string };

let scratch: string;
/** Its VM is the one that all configurations are tried in. */
let keeper: Plugin;
let lastLine = "";

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "meshup-configuration-"));
  const { path } = await buildModule(await resolveModule("filter"), scratch);
  const onLog = ({ message }: { message: string }) => {
    lastLine = message;
    keeper?.logs.splice(0);
  };
  keeper = Plugin.load({ wasm: await readFile(path), rootId: "add_header_root", pluginName: "keeper", onLog });
});

afterAll(() => rm(scratch, { recursive: true }));

function outcome(rootId: RootId, configuration: Uint8Array): Outcome {
  let plugin: Plugin;
  try {
    const clusters = { load: { body: "busy" } };
    plugin = Plugin.load({
      wasm: new Uint8Array(),
      beside: keeper,
      rootId,
      configuration,
      pluginName: "tried",
      clusters,
    });
  } catch (error) {
    if (!(error instanceof PluginRefused)) throw error;
    return { refused: lastLine.replace(/^.*?: configuration refused: /, "") };
  }
  const stream = plugin.stream();
  const { response } = stream.exchange();
  stream.close();
  plugin.close();
  return { headers: response?.headers ?? {} };
}

// The reference

function expected(rootId: RootId, bytes: Uint8Array): Outcome {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { refused: expect.stringMatching(/^(not a JSON object: .* \(offset \d+\)|it is not UTF-8)/) };
  }
  const members = text === "" ? [] : membersOf(text);
  if (!members) return { refused: expect.stringMatching(/^not a JSON object: .* \(offset \d+\)$/) };
  const twice = members.filter(({ name }, i) => members.findIndex((other) => lower(other.name) === lower(name)) < i);
  const problems = twice.map(({ name, offset }) => `${quoted(name)} is there twice (offset ${offset})`);
  const headers = rootId === "add_header_root" ? addHeader(members, problems) : loadFeedback(members, problems);
  return problems.length > 0 ? { refused: problems.join("; ") } : { headers };
}

interface Member {
  name: string;
  value: unknown;
  /** As written. */
  text: string;
  offset: number;
}

function addHeader(members: Member[], problems: string[]): Record<string, string> {
  for (const { name, value, offset } of members) {
    const wrongName = nameProblem(name);
    if (wrongName) problems.push(`${quoted(name)}: ${wrongName}`);
    const wrong = typeof value === "string" ? valueProblem(value) : "a header's value must be a string";
    if (wrong) problems.push(`${quoted(name)}: ${wrong} (offset ${offset})`);
  }
  return Object.fromEntries(members.map(({ name, value }) => [lower(name), String(value)]));
}

function loadFeedback(members: Member[], problems: string[]): Record<string, string> {
  const find = (name: string) => members.find((member) => member.name === name);
  const text = (name: string, fallback?: string): string => {
    const member = find(name);
    if (typeof member?.value === "string" && member.value !== "") return member.value;
    if (member) problems.push(`"${name}" must be a string that is not empty (offset ${member.offset})`);
    else if (fallback === undefined) problems.push(`"${name}" is missing`);
    return member ? "" : (fallback ?? "");
  };
  const integer = (name: string, fallback: number, min: number, max: number): number => {
    const member = find(name);
    if (!member) return fallback;
    const value = /^\d+$/.test(member.text) ? Number(member.text) : -1;
    if (value >= min && value <= max) return value;
    problems.push(`"${name}" must be a whole number from ${min} to ${max} (offset ${member.offset})`);
    return fallback;
  };
  const cluster = text("cluster");
  const authority = text("authority", cluster);
  const path = text("path");
  const interval = integer("interval_ms", 1000, 10, 3_600_000);
  integer("timeout_ms", 1000, 1, 3_600_000);
  const age = integer("max_age_ms", Math.max(5000, 5 * interval), 1, 36_000_000);
  const header = text("header", "x-load-feedback");
  const wrong = header === "" ? undefined : nameProblem(header);
  if (wrong) problems.push(`"header" is ${quoted(header)}: ${wrong}`);
  const known = ["cluster", "authority", "path", "interval_ms", "timeout_ms", "max_age_ms", "header"];
  for (const { name } of members)
    if (!known.includes(name)) problems.push(`${quoted(name)} is not known; known are ${known.join(", ")}`);
  const hasSpace = (value: string) => value.includes(" ") || [...value].some(isControl);
  if (path !== "" && (!path.startsWith("/") || hasSpace(path)))
    problems.push(`"path" is ${quoted(path)}: it must begin with / and have no space`);
  if (hasSpace(authority)) problems.push(`"authority" is ${quoted(authority)}: it must have no space`);
  if (age < interval)
    problems.push(`"max_age_ms" is ${age}: it must not be less than "interval_ms", which is ${interval}`);
  return {}; // until the first poll
}

function nameProblem(name: string): string | undefined {
  if (name === "") return "a header's name cannot be empty";
  if (name.startsWith(":")) return "a pseudo header cannot be set";
  const at = name.search(/[^-!#$%&'*+.^_`|~0-9A-Za-z]/);
  if (at >= 0) return `character ${at + 1} of the name is not allowed in a header's name`;
  return ofConnection.has(lower(name)) ? "it belongs to the connection" : undefined;
}

function valueProblem(value: string): string | undefined {
  if (/^[ \t]|[ \t]$/.test(value)) return "its value begins or ends with a space";
  const at = value.split("").findIndex((unit) => isControl(unit) && unit !== "\t");
  return at < 0 ? undefined : `character ${at + 1} of its value is a control character`;
}

function quoted(text: string): string {
  const hex = (char: string) => char.charCodeAt(0).toString(16).padStart(2, "0");
  return `"${[...text].map((char) => (isControl(char) ? `\\u00${hex(char)}` : char)).join("")}"`;
}

function isControl(char: string): boolean {
  return char < " " || char === "\x7f";
}

function lower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

/** The members of the object with their places, or undefined where it is none, as `JSON.parse` has it. */
function membersOf(text: string): Member[] | undefined {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof whole !== "object" || whole === null || Array.isArray(whole)) return undefined;
  const strings = text.match(/"(?:[^"\\]|\\.)*"/gs) ?? [];
  if (!strings.every((string) => JSON.parse(string).isWellFormed())) return undefined;
  // The text is well formed: a value of the first level is what is between its colon and the next comma of that level.
  const members: Member[] = [];
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]/gs)) {
    if ("{[".includes(token) && ++depth > 33) return undefined;
    if ("}]".includes(token)) depth--;
    if (token === ":" && depth === 1) {
      const name = /"(?:[^"\\]|\\.)*"\s*$/s.exec(text.slice(0, index))?.[0] ?? "";
      const rest = text.slice(index + 1);
      const offset = index + 1 + rest.length - rest.trimStart().length;
      const written = /^(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)/s.exec(text.slice(offset))?.[0];
      members.push({ name: JSON.parse(name), value: written && JSON.parse(written), text: written ?? "", offset });
    }
  }
  return members;
}

// What is tried

const space = fc.constantFrom("", "", "", " ", "\n\t", "  \r\n");
const word = fc.oneof(
  fc.constantFrom("x-a", "X-A", "x-b", "cluster", "authority", "path", "interval_ms", "timeout_ms", "max_age_ms"),
  fc.constantFrom(
    "header",
    "load",
    "/",
    "/now",
    "/a b",
    ":path",
    "",
    "a b",
    " a",
    "a\t",
    "a\tb",
    "é",
    "😀",
    "\0",
    "\x7f",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.string({ maxLength: 8 }),
);
/** Characters as they are, or as one of their escapes. */
const string = fc.tuple(word, fc.array(fc.nat(3), { maxLength: 4 })).map(([text, styles]) => {
  const units = [
    ...JSON.stringify(text)
      .slice(1, -1)
      .matchAll(/\\u[0-9a-f]{4}|\\.|[^\\]/gsu),
  ].map(([unit], i) =>
    styles[i % (styles.length || 1)] === 1 && unit.length === 1 && unit < "\x80"
      ? `\\u00${unit.charCodeAt(0).toString(16).padStart(2, "0")}`
      : unit,
  );
  return `"${units.join("")}"`;
});
const number = fc.oneof(
  fc.constantFrom("0", "1", "10", "5000", "3600000", "3600001", "36000000", "999999999", "1000000000", "4294967296"),
  fc.constantFrom("-1", "1.5", "1e3", "1E-2", "01", "00", "1.", "-", "123456789012345678901234567890"),
  fc.nat(100_000).map(String),
);
const scalar = fc.oneof({ weight: 4, arbitrary: string }, number, fc.constantFrom("true", "false", "null"));
const nested = fc.oneof(
  fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(",")}]`),
  fc.tuple(string, scalar).map(([name, value]) => `{${name}:${value}}`),
  fc.integer({ min: 30, max: 35 }).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
);
const member = fc
  .tuple(space, string, space, fc.oneof({ weight: 9, arbitrary: scalar }, nested), space)
  .map(([a, name, b, value, c]) => `${a}${name}${b}:${value}${c}`);
const settings = fc
  .record(
    {
      cluster: string,
      authority: string,
      path: fc.oneof(fc.constantFrom('"/"', '"/now"'), string),
      interval_ms: number,
      timeout_ms: number,
      max_age_ms: number,
      header: string,
    },
    { requiredKeys: ["cluster", "path"] },
  )
  .map((record) => Object.entries(record).map(([name, value]) => `"${name}":${value}`));
const token = fc.oneof(
  { weight: 9, arbitrary: fc.stringMatching(/^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,9}$/) },
  fc
    .tuple(fc.constantFrom(...ofConnection), fc.nat(20), fc.boolean())
    .map(([name, length, upper]) => (upper ? name.toUpperCase() : name).slice(0, length || 1)),
);
const headers = fc
  .dictionary(token, word, { maxKeys: 4 })
  .map((record) => Object.entries(record).map(([name, value]) => `"${name}":${JSON.stringify(value.trim())}`));
const object = fc
  .tuple(fc.oneof(fc.array(member, { maxLength: 5 }), settings, { weight: 2, arbitrary: headers }), space)
  .map(([members, after]) => `{${members.join(",")}}${after}`);
const soup = fc
  .array(fc.oneof(fc.constantFrom("{", "}", "[", "]", ":", ",", "\\", '"', " "), scalar), { maxLength: 8 })
  .map((pieces) => `{${pieces.join("")}`);
const utf8 = fc.oneof({ weight: 6, arbitrary: object }, soup).map((text) => Buffer.from(text, "utf8"));
const bytes = fc.oneof(
  { weight: 8, arbitrary: utf8 },
  // One byte is another.
  fc.tuple(utf8, fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
    const changed = Buffer.from(text);
    if (changed.length > 0) changed[at % changed.length] = byte;
    return changed;
  }),
  fc.uint8Array({ maxLength: 20 }),
);

test("a hundred thousand configurations are taken or refused as they should be, and leave nothing behind", () => {
  let taken = 0;
  fc.assert(
    fc.property(fc.constantFrom(...rootIds), bytes, (rootId, configuration) => {
      const wanted = expected(rootId, configuration);
      expect(outcome(rootId, configuration)).toEqual(wanted);
      if ("headers" in wanted) taken++;
    }),
    { numRuns: 100_000 },
  );
  expect(taken).toBeGreaterThan(10_000);
  expect(keeper.trap).toBeUndefined();
  expect(keeper.memoryBytes).toBe(65_536);
}, 300_000);
