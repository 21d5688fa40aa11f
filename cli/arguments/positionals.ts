import { UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { stackNames } from "../stack/files.ts";

/**
 * `[STACK] [NAME]`; either may be left out. If the only one is a stack's name, it is taken for the stack.
 * @throws UserError when the first of two is no stack
 */
export function stackAndName(
  positionals: string[],
  what: string,
  stacks = stackNames(root),
): { stack: string; rest: string | undefined } {
  const [first, second] = positionals;
  if (first === undefined) return { stack: "local", rest: undefined };
  if (stacks.includes(first)) return { stack: first, rest: second };
  if (second === undefined) return { stack: "local", rest: first };
  throw new UserError(`There is no stack "${first}"; the stacks are ${stacks.join(", ")}. Usage: [STACK] [${what}]`);
}
