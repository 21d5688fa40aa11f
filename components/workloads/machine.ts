/** What there has to be on this machine before a workload's command can run. */
import { statSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { isExecutable } from "../../lib/which.ts";
import { portsOfRecorded } from "../../process/listening.ts";
import { assertPortsFree } from "../../process/ports.ts";
import type { Declaration } from "./declared.ts";

/** @returns what is wrong, by key of the declaration */
export function programProblems({
  command,
  directory,
  env,
}: Declaration<"command">): { key: string; message: string }[] {
  const folder = resolve(root, directory);
  if (!isDirectory(folder)) return [{ key: "directory", message: `${directory}: there is no such folder` }];
  const program = command[0] as string;
  const path = typeof env.PATH === "string" ? env.PATH : (process.env.PATH ?? "");
  if (program.includes("/"))
    return isExecutable(resolve(folder, program))
      ? []
      : [{ key: "command", message: `${program} is no program that can be run in ${directory}` }];
  const there = path.split(delimiter).some((part) => part !== "" && isExecutable(join(resolve(folder, part), program)));
  return there ? [] : [{ key: "command", message: `there is no program ${program} on PATH` }];
}

/**
 * The ports that others have: those of the stack's own processes are free, or will be.
 * @param stackDirectory with the records of the stack's processes
 * @returns a line for each
 */
export async function portsInUse(ports: { key: string; port: number }[], stackDirectory: string): Promise<string[]> {
  const ours = portsOfRecorded(stackDirectory);
  const others = ports.filter(({ port }) => !ours.has(port));
  const hints = Object.fromEntries(others.map(({ key, port }) => [port, `meshup:${key}`]));
  try {
    await assertPortsFree(
      others.map(({ port }) => port),
      hints,
    );
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message.split("\n");
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
