import { parseArgs } from "node:util";
import { UserError } from "../../lib/errors.ts";

/** What stands after `--` in `npm run COMMAND -- …`. */
export interface CommandLine {
  positionals: string[];
  /** By name without dashes: `true` for a flag, text for an option with a value. */
  options: Record<string, string | true>;
}

/** An option of a command; `value` names what it takes, where it takes something. */
export interface OptionSpec {
  value?: string;
  help: string;
}

export interface ArgumentSpec {
  /** For messages: `npm start [-- STACK] [--json]`. */
  usage: string;
  options: Record<string, OptionSpec>;
  maxPositionals: number;
}

/**
 * Takes a command's arguments apart.
 * @throws UserError that names every wrong argument at once, and lists what there is.
 */
export function parseArguments(args: string[], spec: ArgumentSpec): CommandLine {
  const result: CommandLine = { positionals: [], options: {} };
  const problems: string[] = [];
  const types = Object.entries(spec.options).map(([name, { value }]) => {
    const type = value === undefined ? ("boolean" as const) : ("string" as const);
    return [name, { type, ...(name === "help" && { short: "h" }) }] as const;
  });
  // Not strict: that would tell of the first problem only.
  const { tokens } = parseArgs({ args, options: Object.fromEntries(types), strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional") result.positionals.push(token.value);
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    const option = Object.hasOwn(spec.options, name) ? spec.options[name] : undefined;
    if (!option) problems.push(`there is no option ${rawName}`);
    else if (option.value === undefined) {
      if (value === undefined) result.options[name] = true;
      else problems.push(`--${name} takes no value`);
    } else if (value === undefined || value === "") problems.push(`--${name} needs a value: --${name} ${option.value}`);
    else result.options[name] = value;
  }
  const tooMany = result.positionals.slice(spec.maxPositionals);
  if (tooMany.length > 0) problems.push(`too many arguments: ${tooMany.join(" ")}`);
  if (problems.length > 0) throw new UserError([...problems, usageOf(spec)].join("\n"));
  return result;
}

/** The command's usage, with a line for each of its options. */
export function usageOf(spec: ArgumentSpec): string {
  const options = Object.entries(spec.options).map(([name, { value, help }]) => {
    const left = value ? `--${name} ${value}` : `--${name}`;
    return `  ${left.padEnd(16)} ${help}`;
  });
  return [`Usage: ${spec.usage}`, ...options].join("\n");
}

/** A whole number of at least `min`. */
export function wholeNumber(option: string, text: string, min = 0): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number) || number < min)
    throw new UserError(`--${option} ${text}: a whole number of at least ${min} is needed`);
  return number;
}
