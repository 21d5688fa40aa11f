/** Filters in the text of a stack's file (Pulumi.STACK.yaml): every other line stays as it is, to the byte. */
import { isDeepStrictEqual } from "node:util";
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Scalar,
  stringify,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { UserError } from "../lib/errors.ts";

/** An entry of `meshup:filters`. */
export interface FilterEntry {
  name: string;
  /** A folder of AssemblyScript or a .wasm, relative to the clone. */
  module: string;
  root: string;
  config: Record<string, string>;
  target: { route: string };
}

const filtersKey = "meshup:filters";

/**
 * The first route that a stack's file declares.
 * @throws UserError when there is none: a filter needs one to work on
 */
export function firstRoute(yamlText: string): string {
  const route: unknown = parseDocument(yamlText).getIn(["config", "meshup:routes", 0, "name"]);
  if (typeof route !== "string")
    throw new UserError('The stack\'s file declares no route for a filter to work on: add one to "meshup:routes".');
  return route;
}

/**
 * Adds a filter to `meshup:filters` in the text of a stack's file (Pulumi.local.yaml). All else stays.
 * @throws UserError when the text cannot take it, or has a filter of that name.
 */
export function declareFilter(yamlText: string, declaration: FilterEntry): string {
  const document = parseDocument(yamlText, { keepSourceTokens: true });
  const [problem] = document.errors;
  if (problem) throw new UserError(`The stack's file is not YAML: ${problem.message}`);
  if (document.contents !== null && !isMap(document.contents))
    throw new UserError("The stack's file must be a mapping.");
  const config = document.get("config", true) ?? null;
  if (config !== null && !isMap(config) && !isEmpty(config)) throw new UserError(`"config" must be a mapping.`);

  const filters = isMap(config) ? (config.get(filtersKey, true) ?? null) : null;
  if (filters !== null && !isSeq(filters) && !isEmpty(filters)) throw new UserError(`"${filtersKey}" must be a list.`);
  const taken = isSeq(filters) && filters.items.some((item) => isMap(item) && item.get("name") === declaration.name);
  if (taken) throw new UserError(`A filter "${declaration.name}" is declared in "${filtersKey}" already.`);

  const spliced = isMap(config) ? spliceIn(yamlText, config, declaration) : undefined;
  const entry = entryOf(document, declaration);
  if (isSeq(filters)) {
    if (filters.items.length === 0) filters.flow = false; // `[]`, as it stands for none
    filters.add(entry);
  } else if (isMap(config)) config.set(filtersKey, document.createNode([entry]));
  else document.set("config", document.createNode({ [filtersKey]: [entry] }));
  return bestOf(yamlText, document, spliced);
}

/**
 * Takes a filter out of `meshup:filters` in the text of a stack's file (Pulumi.STACK.yaml). All else stays.
 * @throws UserError that names the filters that there are, when this one is not among them
 */
export function undeclareFilter(yamlText: string, name: string): string {
  const document = parseDocument(yamlText, { keepSourceTokens: true });
  const [problem] = document.errors;
  if (problem) throw new UserError(`The stack's file is not YAML: ${problem.message}`);
  const path = ["config", filtersKey];
  const filters = document.getIn(path, true);
  const names = isSeq(filters) ? filters.items.map((item) => (isMap(item) ? String(item.get("name")) : "")) : [];
  const place = names.indexOf(name);
  if (place < 0)
    throw new UserError(`No filter "${name}" is declared in "${filtersKey}"; there are ${names.join(", ") || "none"}.`);
  const spliced = isSeq(filters) && names.length > 1 ? spliceOut(yamlText, filters, place) : undefined;
  document.deleteIn([...path, place]);
  return bestOf(yamlText, document, spliced);
}

function entryOf(document: Document, declaration: FilterEntry): YAMLMap<unknown, unknown> {
  const entry = document.createNode(declaration) as YAMLMap<unknown, unknown>;
  for (const { value } of entry.items) if (isMap(value)) value.flow = true;
  return entry;
}

/** The spliced text where it says what it should; else the document's own, in the line ends of the file. */
function bestOf(before: string, wanted: Document, spliced: string | undefined): string {
  const after = spliced === undefined ? undefined : parseDocument(spliced, { logLevel: "error" });
  if (spliced !== undefined && after?.errors.length === 0 && isDeepStrictEqual(after.toJS(), wanted.toJS()))
    return spliced;
  const text = wanted.toString({ lineWidth: 0, indentSeq: isIndented(before) });
  const mark = before.startsWith("\ufeff") ? "\ufeff" : "";
  return mark + text.replaceAll("\n", lineEnd(before));
}

/** What most of the file's lines end with. */
function lineEnd(text: string): string {
  const all = text.split("\n").length - 1;
  const carriageReturns = text.split("\r\n").length - 1;
  return carriageReturns > all / 2 ? "\r\n" : "\n";
}

/** Where the line ends that has the character before `at`, its line end included. */
function endOfLine(text: string, at: number): number {
  if (text[at - 1] === "\n") return at;
  const next = text.indexOf("\n", at);
  return next < 0 ? text.length : next + 1;
}

/** The text with an entry more, in lines of its own; undefined where it is written in one line with others. */
function spliceIn(text: string, config: YAMLMap, declaration: FilterEntry): string | undefined {
  const { indent } = tokenOf(config) ?? {};
  if (indent === undefined) return undefined;
  const pair = config.items.find(({ key }) => isScalar(key) && key.value === filtersKey);
  const filters = pair?.value;
  if (isSeq(filters) && filters.items.length > 0) {
    const list = tokenOf(filters);
    const last = rangeOf(filters.items.at(-1));
    return list && last && insert(text, endOfEntry(text, last[1], list.indent), entryLines(declaration, list.indent));
  }
  const inner = indent + (isIndented(text) ? 2 : 0);
  if (pair === undefined) {
    const last = rangeOf(config.items.at(-1)?.value) ?? rangeOf(config.items.at(-1)?.key);
    const lines = [`${" ".repeat(indent)}${filtersKey}:`, ...entryLines(declaration, inner)];
    return last && insert(text, endOfLine(text, last[1]), lines);
  }
  // `meshup:filters:` with nothing, `~` or `[]` after it
  const key = pair.key as Scalar;
  if (!key.range) return undefined;
  const emptied =
    text.slice(0, key.range[1]) + text.slice(key.range[1]).replace(/^([ \t]*:)[ \t]*(\[[ \t]*\]|~|null)/, "$1");
  return insert(emptied, endOfLine(emptied, key.range[1] + 1), entryLines(declaration, inner));
}

/** The text without an entry, the comment above it and those further in below it. */
function spliceOut(text: string, filters: YAMLSeq, place: number): string | undefined {
  const { indent } = tokenOf(filters) ?? {};
  const range = rangeOf(filters.items[place]);
  if (indent === undefined || !range) return undefined;
  const linesBefore = text.slice(0, range[0]).split(/(?<=\n)/);
  if (!/^ *-[ \t]+$/.test(linesBefore.pop() ?? "")) return undefined;
  const above = new RegExp(`^ {${indent}}#`);
  while (place > 0 && above.test(linesBefore.at(-1) ?? "")) linesBefore.pop();
  const end = endOfEntry(text, range[1], indent);
  return linesBefore.join("") + text.slice(end);
}

/** Where an entry's last line ends, with the comments below it that stand further in than the entry. */
function endOfEntry(text: string, at: number, indent: number): number {
  const comments = new RegExp(`^( {${indent + 1},}#.*(\\r?\\n|$))*`);
  const end = endOfLine(text, at);
  return end + (comments.exec(text.slice(end))?.[0].length ?? 0);
}

/** How far in a block of lines stands; undefined for what is written in brackets. */
function tokenOf(node: YAMLMap | YAMLSeq): { indent: number } | undefined {
  const token = node.srcToken;
  return token?.type === "block-seq" || token?.type === "block-map" ? token : undefined;
}

function rangeOf(node: unknown): [number, number, number] | undefined {
  return (node as { range?: [number, number, number] | null } | null | undefined)?.range ?? undefined;
}

function entryLines(declaration: FilterEntry, indent: number): string[] {
  const document = parseDocument("");
  const text = stringify(document.createNode([entryOf(document, declaration)]), { lineWidth: 0 });
  return text
    .trimEnd()
    .split("\n")
    .map((line) => " ".repeat(indent) + line);
}

function insert(text: string, at: number, lines: string[]): string {
  const end = lineEnd(text);
  const before = text.slice(0, at);
  if (before === "" || before.endsWith("\n")) return before + lines.map((line) => line + end).join("") + text.slice(at);
  return before + lines.map((line) => end + line).join("") + text.slice(at); // the file ends without a line end
}

function isEmpty(node: unknown): boolean {
  return typeof node === "object" && node !== null && "value" in node && node.value === null;
}

/** Whether the first list is further in than its key; so is a new one. */
function isIndented(yamlText: string): boolean {
  const match = /^( *)[^\s#-][^\n]*:[ \t]*(?:#.*)?\n( *)- /m.exec(yamlText);
  return !match || (match[2] ?? "").length > (match[1] ?? "").length;
}
