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
  type YAMLMap,
} from "yaml";
import { messageOf, UserError } from "./errors.ts";
import { isExact, type Path } from "./numbers.ts";
import { agree, readByPulumi, readByYaml } from "./yaml-scalars.ts";

export type Mapping = Record<string, unknown>;

export interface StackFile {
  /** What stands under `config:`, by key in full: `meshup:filters`. Values as YAML 1.2 has them, merge keys followed. */
  config: Mapping;
  /** The file's other keys: `encryptionsalt`, `secretsprovider`, `environment`. */
  rest: Mapping;
  /** What of meshup's configuration does not come to it as it is written, each with its key and what to write. */
  problems: string[];
  /** Where meshup's configuration has a secret (`secure: …`), below `meshup:`: `["filters", 0, "config", "x-key"]`. */
  secrets: Path[];
}

/** @throws UserError when it is none that Pulumi takes */
export function readStackFile(text: string, path: string): StackFile {
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
    problems: problemsOf(document),
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
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Mapping;
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

function problemsOf(document: Document): string[] {
  const problems: string[] = [];
  const seen = new Set<unknown>();
  const visit = (node: unknown, path: Path): void => {
    if (isAlias(node)) visit(node.resolve(document), path);
    if (!isNode(node) || seen.has(node)) return;
    seen.add(node);
    if (isSeq(node)) for (const [i, item] of node.items.entries()) visit(item, [...path, i]);
    else if (isMap(node)) visitPairs(node, path);
    else if (isScalar(node)) {
      const problem = scalarProblem(node);
      if (problem) problems.push(`${ours}${keyPath(path)}: ${problem}`);
    }
  };
  const visitPairs = (map: YAMLMap, path: Path) => {
    for (const { key, value } of map.items) {
      const source = isAlias(key) ? key.resolve(document) : key;
      if (isMerge(source)) for (const base of isSeq(value) ? value.items : [value]) visit(base, path);
      else {
        const problem = isScalar(source) ? keyProblem(source) : "a key is text";
        if (problem) problems.push(`${ours}${keyPath(path)}: ${problem}`);
        visit(value, [...path, isScalar(source) ? textOf(source) : String(source)]);
      }
    }
  };
  for (const { key, value } of configPairs(document))
    if (inFull(key).startsWith(ours)) visit(value, [inFull(key).slice(ours.length)]);
  return problems;
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

/** What is wrong with a value; undefined where it comes as it is written. */
function scalarProblem(node: Scalar): string | undefined {
  const text = textOf(node);
  if (node.tag !== undefined && node.tag !== "tag:yaml.org,2002:str")
    return `${text} has the tag ${node.tag}: leave it out, or quote the value`;
  if (!isPlain(node)) return undefined;
  const [pulumi, yaml] = [readByPulumi(text), readByYaml(text)];
  const quote = `quote it: ${JSON.stringify(text)}`;
  if (pulumi.is === "date") return `${text} is a date to Pulumi, which would hand it on in another form: ${quote}`;
  if (pulumi.is === "number" && /inf|nan/.test(pulumi.value)) return `${text} is no number that JSON has: ${quote}`;
  if (!agree(pulumi, yaml)) {
    const [toPulumi, inYaml] = [pulumi, yaml].map((reading) => (reading.is === "number" ? reading.value : reading.is));
    const write = pulumi.is === "number" ? `write ${toPulumi}, or ` : "";
    return `${text} is ${toPulumi} to Pulumi and ${inYaml} in YAML 1.2: ${write}${quote}`;
  }
  if (pulumi.is === "number" && !isExact(pulumi.value)) return `${text} ${tooManyDigits(text)}`;
  return undefined;
}

/** Of a number that would come with other digits than it was written with. */
export function tooManyDigits(text: string): string {
  return `has more digits than a number keeps on its way: quote it: "${text}"`;
}

/** Pulumi makes text of keys that are numbers: only those that are that very text come as they are written. */
function keyProblem(node: Scalar): string | undefined {
  const text = textOf(node);
  if (node.tag === undefined && node.type !== "PLAIN") return undefined;
  const reading = readByPulumi(text);
  if (node.tag === undefined && reading.is === "text" && agree(reading, readByYaml(text))) return undefined;
  const same =
    reading.is === "boolean" ? /^(true|false)$/.test(text) : reading.is === "number" && /^-?(0|[1-9]\d*)$/.test(text);
  if (node.tag === undefined && same && isExact(text)) return undefined;
  return `the key ${text || "(none)"} is no text to Pulumi: quote it: ${JSON.stringify(text)}`;
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
 * by another name. Every scalar stays as it is written.
 * @param namespace in place of `meshup`
 * @param salt the engine's, where the file names none and no other keeper of secrets
 */
export function engineCopy(
  text: string,
  path: string,
  { namespace, salt }: { namespace: string; salt?: string },
): string {
  const document = parse(text, path, "failsafe"); // every scalar is text: written again as it was read
  visitNodes(document, {
    Scalar(_, node) {
      if (node.type === "PLAIN" && node.value === "") node.value = "~"; // nothing: else it would become ""
    },
  });
  for (const { key, node } of configPairs(document)) {
    const full = inFull(key);
    if (full.startsWith(ours)) node.value = `${namespace}:${full.slice(ours.length)}`;
  }
  if (salt !== undefined) {
    if (document.contents === null) return `encryptionsalt: ${salt}\n`;
    document.set("encryptionsalt", salt);
  }
  if (document.contents === null) return "{}\n";
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}
