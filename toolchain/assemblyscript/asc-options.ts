import { UserError } from "../../lib/errors.ts";
import { isMapping } from "../../lib/mapping.ts";

/** Options of the AssemblyScript compiler, by their long names. */
export type AscOptions = Record<string, string | number | boolean | string[]>;

/**
 * Ours, under what a folder's asconfig.json says. Functions keep their names, for the stack of a trap.
 * https://www.assemblyscript.org/compiler.html#compiler-options
 */
const defaults: AscOptions = { optimizeLevel: 3, shrinkLevel: 0, debug: true };

/** Ours logs the message and where it happened, and ends in a trap: filter/compat/abort.ts. */
const abort = "abort=meshup_abort";

/** What an asconfig.json may say about the module itself. */
const allowed = new Set([
  "optimize",
  "optimizeLevel",
  "shrinkLevel",
  "converge",
  "debug",
  "noAssert",
  "uncheckedBehavior",
  "runtime",
  "exportRuntime",
  "exportStart",
  "exportTable",
  "initialMemory",
  "maximumMemory",
  "memoryBase",
  "stackSize",
  "lowMemoryLimit",
  "enable",
  "disable",
  "use",
  "runPasses",
  "noValidate",
  "pedantic",
  "noUnsafe",
  "disableWarning",
]);

/** About other outputs than the module, which are not made here. `asinit` writes most of them. */
const ignored = new Set(["outFile", "textFile", "bindings", "sourceMap", "noColors", "stats", "baseDir", "noEmit"]);

export interface AscConfig {
  /** As written, relative to the folder. */
  entries: string[];
  /** Of its target `release` and its general options, over ours. */
  options: AscOptions;
}

/**
 * Reads the text of an asconfig.json (none: our own options).
 * @throws UserError that names every problem.
 */
export function readAscConfig(text: string | undefined, file: string): AscConfig {
  const config = text === undefined ? {} : parse(text, file);
  const problems: string[] = [];
  const section = (value: unknown, key: string): Record<string, unknown> => {
    if (value === undefined) return {};
    if (isMapping(value)) return value;
    problems.push(`"${key}" must be an object`);
    return {};
  };
  const target = section(section(config.targets, "targets").release, "targets.release");
  const merged = { ...section(config.options, "options"), ...target };
  const options: AscOptions = { ...defaults };
  for (const [name, value] of Object.entries(merged)) {
    if (ignored.has(name)) continue;
    if (!allowed.has(name)) problems.push(`option "${name}" cannot be used here`);
    else if (!isOption(value)) problems.push(`option "${name}" must be a string, number, boolean or list of strings`);
    else options[name] = value;
  }
  if (config.extends !== undefined) problems.push(`"extends" cannot be used here: write the options into this file`);
  const entries = config.entries ?? [];
  if (!Array.isArray(entries) || !entries.every((entry) => typeof entry === "string" && entry !== "")) {
    problems.push(`"entries" must be a list of file names`);
  }
  if (problems.length > 0) throw new UserError([`${file}:`, ...problems.map((problem) => `  ${problem}`)].join("\n"));
  options.use = [abort, ...(options.use === undefined ? [] : [options.use].flat().map(String))];
  return { entries: entries as string[], options };
}

/** The options as arguments: `--optimizeLevel 3 …`; a false boolean is one that is not there. */
export function toArguments(options: AscOptions): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    if (typeof value === "boolean") return value ? [`--${name}`] : [];
    return [value].flat().flatMap((item) => [`--${name}`, String(item)]);
  });
}

function parse(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${file} is not JSON: ${(error as Error).message}`);
  }
  if (!isMapping(value)) throw new UserError(`${file} must be a JSON object`);
  return value;
}

function isOption(value: unknown): value is AscOptions[string] {
  if (Array.isArray(value)) return value.every((item) => typeof item === "string");
  return ["string", "number", "boolean"].includes(typeof value);
}
