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
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (!arg.startsWith("-")) {
      result.positionals.push(arg);
      continue;
    }
    const [name = "", given] = splitOption(arg);
    const option = Object.hasOwn(spec.options, name) ? spec.options[name] : undefined;
    if (!option) problems.push(`there is no option ${arg}`);
    else if (option.value === undefined) {
      if (given === undefined) result.options[name] = true;
      else problems.push(`--${name} takes no value`);
    } else {
      const value = given ?? rest.shift();
      if (value === undefined || value === "") problems.push(`--${name} needs a value: --${name} ${option.value}`);
      else result.options[name] = value;
    }
  }
  const tooMany = result.positionals.slice(spec.maxPositionals);
  if (tooMany.length > 0) problems.push(`too many arguments: ${tooMany.join(" ")}`);
  if (problems.length > 0) throw new UserError([...problems, usageOf(spec)].join("\n"));
  return result;
}

/** `--lines=5` → lines, 5; `-h` is the one short option. */
function splitOption(arg: string): [string, string | undefined] {
  if (arg === "-h") return ["help", undefined];
  if (!arg.startsWith("--")) return [arg, undefined];
  const equals = arg.indexOf("=");
  return equals < 0 ? [arg.slice(2), undefined] : [arg.slice(2, equals), arg.slice(equals + 1)];
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
