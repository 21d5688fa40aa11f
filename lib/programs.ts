import { delimiter, resolve } from "node:path";
import which from "which";

/** No path has one. */
const nul = "\0";

/**
 * The absolute path of the program that a name stands for: on PATH, or a path itself.
 * @param folder that it is to run in: relative paths begin there, those on PATH too
 */
export function programPath(
  name: string,
  { PATH = "" }: NodeJS.ProcessEnv,
  folder = process.cwd(),
): string | undefined {
  const named = name.includes("/") ? resolve(folder, name) : name;
  const folders = PATH.split(delimiter).map((part) => resolve(folder, part));
  return which.sync(named, { path: folders.join(nul), delimiter: nul, nothrow: true }) ?? undefined;
}

/** @param path absolute */
export function isExecutable(path: string): boolean {
  return which.sync(path, { nothrow: true }) !== null;
}
