/** A stack's file, Pulumi.STACK.yaml: what it says, to us and to Pulumi. */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseDocument,
  type Scalar,
  visit as visitNodes,
} from "yaml";
import { messageOf, UserError } from "./errors.ts";
import { isMapping, type Mapping } from "./mapping.ts";
import { isExact, type Path } from "./numbers.ts";
import { agree, readByPulumi, readByYaml } from "./yaml-scalars.ts";

export interface StackFile {
  /** What stands under `config:`, by key in full: `meshup:filters`. Values as YAML 1.2 has them, merge keys followed. */
  config: Mapping;
  /** The file's other keys: `encryptionsalt`, `secretsprovider`, `environment`. */
  rest: Mapping;
  /** What of meshup's configuration cannot come to it as it is written, each with its key and what to write. */
  problems: string[];
  /** What else of it Pulumi reads otherwise than YAML 1.2 has it. */
  differences: Difference[];
  /** Where meshup's configuration has a secret (`secure: …`), below `meshup:`: `["filters", 0, "config", "x-key"]`. */
  secrets: Path[];
}

export interface Difference {
  /** Below `meshup:`. Of a key, with the key. */
  path: Path;
  /** As YAML 1.2 has it; none of a key. */
  value?: string | number;
  /** With its key, and what to write. */
  message: string;
}

let last: { text: string; path: string; file: StackFile } | undefined;

/**
 * The one that was read last is remembered: an `up` asks for it several times.
 * @throws UserError when it is none that Pulumi takes
 */
export function readStackFile(text: string, path: string): StackFile {
  if (last?.text !== text || last.path !== path) last = { text, path, file: read(text, path) };
  return last.file;
}

function read(text: string, path: string): StackFile {
  const document = parse(text, path, "core");
  const { config = {}, ...rest } = mappingOf(plainValue(document, path), path);
  const byKey = Object.entries(mappingOf(config ?? {}, `${path}: config`)).map(
    ([key, value]) => [inFull(key), value] as const,
  );
  const own = byKey
    .filter(([key]) => key.startsWith(ours))
    .map(([key, value]) => [key.slice(ours.length), value] as const);
  return {
    config: Object.fromEntries(byKey),
    rest,
    ...findings(document, text),
    secrets: own.flatMap(([key, value]) => securePaths(value, [key])),
  };
}

const ours = "meshup:";

/** Keys may be without a namespace, which is then the project's, and have a `config:` in them, as they once did. */
function inFull(key: string): string {
  return key.includes(":") ? key.replace(/^([^:]+):config:/, "$1:") : `${ours}${key}`;
}

function parse(text: string, path: string, schema: "core" | "failsafe"): Document {
  const document = parseDocument(text, { schema, merge: schema === "core", logLevel: "error" });
  const [problem] = document.errors;
  if (problem) throw new UserError(`${path} is not YAML that Pulumi takes: ${problem.message}`);
  return document;
}

function plainValue(document: Document, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: -1 }) ?? {};
  } catch (error) {
    throw new UserError(`${path} is not YAML that Pulumi takes: ${messageOf(error)}`);
  }
}

function mappingOf(value: unknown, what: string): Mapping {
  if (isMapping(value)) return value;
  throw new UserError(`${what}: a mapping is needed, such as\nconfig:\n  meshup:mesh: standalone`);
}

/** `{ secure: TEXT }`, and nothing beside it, is a secret to Pulumi wherever it stands. */
function securePaths(value: unknown, path: Path): Path[] {
  if (Array.isArray(value)) return value.flatMap((item, i) => securePaths(item, [...path, i]));
  if (typeof value !== "object" || value === null) return [];
  const entries = Object.entries(value);
  if (entries.length === 1 && entries[0]?.[0] === "secure" && typeof entries[0][1] === "string") return [path];
  return entries.flatMap(([key, inner]) => securePaths(inner, [...path, key]));
}

function findings(document: Document, text: string): Pick<StackFile, "problems" | "differences"> {
  const problems: string[] = [];
  const differences: Difference[] = [];
  for (const { node, path, isKey } of scalarsOf(document)) {
    const problem = isKey ? keyProblem(node) : valueProblem(node);
    const difference = differenceOf(node) ?? lineEndIn(text.slice(...(node.range ?? [0, 0])));
    const at = `${ours}${keyPath(path)}: `;
    if (problem !== undefined) problems.push(at + problem);
    else if (difference === undefined) continue;
    else if (isKey) differences.push({ path: [...path, textOf(node)], message: `${at}the key ${difference}` });
    else differences.push({ path, value: node.value as string | number, message: at + difference });
  }
  return { problems, differences };
}

interface PlacedScalar {
  node: Scalar;
  path: Path;
  /** It is a key, and the path that of its mapping. */
  isKey: boolean;
}

/** Every scalar of meshup's configuration, each once, however it got there: by alias, by merge key. */
function scalarsOf(document: Document): PlacedScalar[] {
  const found: PlacedScalar[] = [];
  const seen = new Set<unknown>();
  const resolve = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const visit = (alias: unknown, path: Path): void => {
    const node = resolve(alias);
    if (!isNode(node) || seen.has(node)) return;
    seen.add(node);
    if (isSeq(node)) for (const [i, item] of node.items.entries()) visit(item, [...path, i]);
    else if (isMap(node)) for (const { key, value } of node.items) visitPair(resolve(key), value, path);
    else if (isScalar(node)) found.push({ node, path, isKey: false });
  };
  const visitPair = (key: unknown, value: unknown, path: Path) => {
    if (isMerge(key)) {
      const bases = resolve(value);
      for (const base of isSeq(bases) ? bases.items : [bases]) visit(base, path);
      return;
    }
    if (isScalar(key)) found.push({ node: key, path, isKey: true });
    visit(value, [...path, isScalar(key) ? textOf(key) : String(key)]);
  };
  for (const { key, value } of configPairs(document))
    if (inFull(key).startsWith(ours)) visit(value, [inFull(key).slice(ours.length)]);
  return found;
}

interface ConfigPair {
  key: string;
  /** The key's node. */
  node: Scalar;
  value: unknown;
}

/** The pairs under `config:`, also of the mappings that are merged into it. */
function configPairs(document: Document): ConfigPair[] {
  const deref = (node: unknown) => (isAlias(node) ? node.resolve(document) : node);
  const pairsOf = (node: unknown): ConfigPair[] => {
    const map = deref(node);
    if (!isMap(map)) return [];
    return map.items.flatMap(({ key, value }) => {
      const name = deref(key);
      if (isMerge(name)) {
        const bases = deref(value);
        return (isSeq(bases) ? bases.items : [bases]).flatMap(pairsOf);
      }
      return isScalar(name) ? [{ key: textOf(name), node: name, value }] : [];
    });
  };
  return isMap(document.contents) ? pairsOf(document.get("config", true)) : [];
}

const isMerge = (key: unknown) => isScalar(key) && key.type === "PLAIN" && key.source === "<<";

const isPlain = (node: Scalar) => node.type === "PLAIN" && node.tag === undefined;

const textOf = (node: Scalar) => (node.type === "PLAIN" ? (node.source ?? "") : String(node.value));

/** Why a value cannot come as it is written; undefined where it can. */
function valueProblem(node: Scalar): string | undefined {
  const text = textOf(node);
  if (isTagged(node)) return `${text} has the tag ${node.tag}: leave it out, or quote the value`;
  if (hasHalf(text)) return `${JSON.stringify(text)} ${halfCharacter}`;
  if (!isPlain(node)) return undefined;
  const { is, value = "" } = readByYaml(text) as { is: string; value?: string };
  if (is !== "number") return undefined;
  if (/inf|nan/.test(value)) return `${text} is no number that JSON has: ${quoteIt(text)}`;
  return isExact(value) ? undefined : `${text} ${tooManyDigits(text)}`;
}

/** Pulumi makes text of keys that are numbers: only those that are that very text come as they are written. */
function keyProblem(node: Scalar): string | undefined {
  const text = textOf(node);
  if (isTagged(node)) return `the key ${text} has the tag ${node.tag}: leave it out, or quote the key`;
  if (hasHalf(text)) return `the key ${JSON.stringify(text)} ${halfCharacter}`;
  if (!isPlain(node)) return undefined;
  const { is } = readByYaml(text);
  const isItsText =
    is === "text" ||
    (is === "boolean" && /^(true|false)$/.test(text)) ||
    (is === "number" && /^-?(0|[1-9]\d*)$/.test(text) && isExact(text));
  return isItsText ? undefined : `the key ${text || "(nothing)"} is no text: ${quoteIt(text)}`;
}

/** What Pulumi makes of a scalar that means another thing in YAML 1.2; undefined where both are one. */
function differenceOf(node: Scalar): string | undefined {
  const text = textOf(node);
  if (!isPlain(node)) return undefined;
  const [pulumi, yaml] = [readByPulumi(text), readByYaml(text)];
  if (agree(pulumi, yaml)) return undefined;
  const [toPulumi, inYaml] = [pulumi, yaml].map((reading) =>
    reading.is === "number" ? plain(reading.value) : reading.is,
  );
  if (pulumi.is === "date") return `${text} is a date to Pulumi, which hands it on in another form: ${quoteIt(text)}`;
  return `${text} is ${toPulumi} to Pulumi and ${inYaml} in YAML 1.2: ${inYaml === "text" ? "" : `write ${inYaml}, or `}${quoteIt(text)}`;
}

/** Half of a pair that stands for one character. */
const hasHalf = (text: string) => /\p{Surrogate}/u.test(text);
const halfCharacter = "has half of a character in it, which no text on the wire can have: write the whole character";

/** YAML 1.1, which Pulumi reads, knows more ends of lines: between two words they become a blank. */
function lineEndIn(written: string): string | undefined {
  const [character] = /[\u0085\u2028\u2029]/.exec(written) ?? [];
  if (character === undefined) return undefined;
  return `has a character that ends a line to Pulumi: write it as "${escaped(character)}", between double quotes`;
}

/** What may not stand in a file as it is, or means another thing there to Pulumi. */
const toEscape = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/;

const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** `0777` → `777`, which nobody takes for an octal number. */
const plain = (number: string) => number.replace(/^([-+]?)0+(?=\d)/, "$1");

const isTagged = ({ tag }: Scalar) => tag !== undefined && tag !== "tag:yaml.org,2002:str";

const quoteIt = (text: string) => `quote it: ${JSON.stringify(text)}`;

/** Of a number that would come with other digits than it was written with. */
export function tooManyDigits(text: string): string {
  return `has more digits than a number keeps on its way: quote it: "${text}"`;
}

/** `Pulumi.local.yaml has 2 problems:`, and each. */
export function problemList(file: string, problems: string[]): string {
  return [`${file} has ${problems.length === 1 ? "a problem" : `${problems.length} problems`}:`, ...problems].join(
    "\n  ",
  );
}

/** `["filters", 0, "target"]` → `filters[0].target` */
export function keyPath(path: PropertyKey[]): string {
  return path.reduce<string>(
    (text, key) => text + (typeof key === "number" ? `[${key}]` : (text && `.${String(key)}`) || String(key)),
    "",
  );
}

/**
 * The file for an engine that is to hand meshup's configuration to the program alone. All that stands under the name of a
 * provider goes to that provider too, in its environment, where a value of 128 KiB is too large; so that it stands there
 * by another name. It means to Pulumi what the original means in YAML 1.2; what is not meshup's stays as it is written.
 * @param namespace in place of `meshup`
 * @param salt the engine's, where the file names none and no other keeper of secrets
 */
export function engineCopy(
  text: string,
  path: string,
  { namespace, salt }: { namespace: string; salt?: string },
): string {
  const document = parse(text, path, "failsafe"); // every scalar is text: written again as it was read
  for (const { node } of scalarsOf(document)) if (differenceOf(node) !== undefined) makePlain(node);
  visitNodes(document, {
    Scalar(_, node) {
      if (node.type === "PLAIN" && node.value === "") node.value = "~"; // nothing: else it would become ""
      if (toEscape.test(String(node.value))) node.type = "QUOTE_DOUBLE"; // where it can be escaped
    },
  });
  for (const { key, node } of configPairs(document)) {
    const full = inFull(key);
    if (full.startsWith(ours)) node.value = `${namespace}:${full.slice(ours.length)}`;
  }
  if (document.contents === null) return salt === undefined ? "{}\n" : `encryptionsalt: ${salt}\n`;
  if (salt !== undefined) document.set("encryptionsalt", salt);
  const written = document.toString({ lineWidth: 0, flowCollectionPadding: true });
  return written.replace(new RegExp(toEscape, "g"), escaped);
}

/** In a notation that means the same to everybody. */
function makePlain(node: Scalar): void {
  const reading = readByYaml(textOf(node));
  if (reading.is === "number") node.value = plain(reading.value);
  else node.type = "QUOTE_DOUBLE";
}
