import { accessSync, constants, statSync } from "node:fs";
import { delimiter, resolve } from "node:path";

/** The absolute path of the program that a name stands for: on PATH, or a path itself. */
export function which(name: string, env: NodeJS.ProcessEnv): string | undefined {
  const folders = (env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  const paths = name.includes("/") ? [resolve(name)] : folders.map((folder) => resolve(folder, name));
  return paths.find(isExecutable);
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
