/** What there has to be on this machine before a workload's command can run. */
import { statSync } from "node:fs";
import { resolve } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { programPath } from "../../lib/programs.ts";
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
  const PATH = typeof env.PATH === "string" ? env.PATH : process.env.PATH;
  if (programPath(program, { PATH }, folder) !== undefined) return [];
  const message = program.includes("/")
    ? `${program} is no program that can be run in ${directory}`
    : `there is no program ${program} on PATH`;
  return [{ key: "command", message }];
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
