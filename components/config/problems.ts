import type { z } from "zod";
import { keyPath } from "../../lib/stack-file.ts";

/**
 * What a schema found wrong, one line for each problem: its key, what it is, and what would be right.
 * @param prefix stands before every key: `meshup:`
 */
export function problemsOf(error: z.ZodError, prefix = ""): string[] {
  return error.issues.flatMap((issue) => describe(issue, prefix));
}

function describe(issue: z.core.$ZodIssue, prefix: string): string[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys.map((key) => `${prefix}${keyPath([...issue.path, key])}: there is no such key`);
  const own = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  const message = own.replace(/^Invalid (input|option): /, "").replace(/, received undefined$/, "");
  const missing = issue.code !== "custom" && issue.input === undefined;
  return [problemLine(issue.path, `${missing ? "is missing; " : ""}${message}`, prefix)];
}

/** `["filters", 0, "target"]` and what is wrong there. */
export function problemLine(path: PropertyKey[], message: string, prefix = ""): string {
  return `${prefix}${keyPath(path)}: ${message}`;
}
