import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { UserError } from "../lib/errors.ts";
import { removeEmpty, writeWhole } from "../lib/files.ts";
import type { FilterEntry } from "./declare.ts";
import { shortPath } from "./files.ts";
import { newTemplate } from "./index.ts";

export interface Scaffold {
  /** The files that were written, absolute. */
  files: string[];
  declaration: FilterEntry;
}

/**
 * Makes a person's own filter in `<clone>/filters/<name>`: source, and cases that it passes.
 * @param clone absolute
 * @param route that it is declared for
 * @throws UserError when the name cannot be one, or is taken.
 */
export async function scaffold(name: string, clone: string, route: string): Promise<Scaffold> {
  requireDnsLabel(name);
  const folder = join(clone, "filters", name);
  const made = await mkdir(dirname(folder), { recursive: true });
  try {
    await mkdir(folder); // fails where there is one, also when two do it at once
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new UserError(`${shortPath(folder)} is there already. Choose another name, or remove it first.`);
  }
  const { files: contents, rootId, config } = newTemplate(name);
  try {
    for (const [file, text] of Object.entries(contents)) {
      writeWhole(join(folder, file), text);
    }
  } catch (error) {
    await rm(folder, { recursive: true, force: true }); // all of it, or nothing
    if (made !== undefined) removeEmpty(dirname(folder), made);
    throw error;
  }
  const declaration = { name, module: `./filters/${name}`, root: rootId, config, target: { route } };
  return { files: Object.keys(contents).map((file) => join(folder, file)), declaration };
}

/** Kubernetes' rule for a label of a DNS name (RFC 1123); the name becomes part of resource and file names. */
function requireDnsLabel(name: string): void {
  if (name.length <= 63 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name)) return;
  throw new UserError(
    `"${name}" cannot be a filter's name: it must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit.`,
  );
}
