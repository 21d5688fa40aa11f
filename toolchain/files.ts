import { readdir, readFile } from "node:fs/promises";
import { isAbsolute, join, relative } from "node:path";
import { root } from "../lib/paths.ts";

export interface SourceFile {
  /** Relative to the folder, with `/`. */
  path: string;
  content: Buffer;
}

/** Not part of a module: what was built, what was installed, what tests it. */
const skipped = new Set(["node_modules", "build", "cases"]);

/** The files under `folder` that can go into a module: `.ts` and `.json`, sorted by path. */
export async function readSources(folder: string): Promise<SourceFile[]> {
  const paths = await walk(folder, "");
  paths.sort((a, b) => (a < b ? -1 : 1));
  return Promise.all(paths.map(async (path) => ({ path, content: await readFile(join(folder, path)) })));
}

/** A path as a person would name it: relative to the clone where it lies within, else as it is. */
export function shortPath(path: string): string {
  const within = relative(root, path);
  return within === "" || within.startsWith("..") || isAbsolute(within) ? path : within;
}

async function walk(folder: string, below: string): Promise<string[]> {
  const entries = await readdir(join(folder, below), { withFileTypes: true });
  const found = await Promise.all(
    entries.map((entry) => {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.name.startsWith(".") || skipped.has(entry.name)) return [];
      if (entry.isDirectory()) return walk(folder, path);
      return /\.(ts|json)$/.test(entry.name) ? [path] : [];
    }),
  );
  return found.flat();
}
