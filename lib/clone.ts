/**
 * Which clone this is. A folder that is moved stays the same one, whatever its path; a copy of it is another. So what was
 * started and written down here is told from what another clone has started, and was copied along.
 */
import { randomUUID } from "node:crypto";
import { existsSync, linkSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./files.ts";
import { root, stateDir } from "./paths.ts";

/** `.meshup/clone.json`. */
export interface CloneNote {
  /** Of the clone's folder: `folderId`. */
  id: string;
  /** Where the clone was when a command was last run in it. */
  path: string;
  /** Clones that this one has taken the place of: it was moved to another disk. */
  formerly: string[];
  /** Where it was at first, and what tells it from another one at that place: clusters are made in this name. */
  home: string;
  name: string;
}

/** The same for a folder as long as it exists, wherever it is moved to on its disk; undefined when there is none. */
export function folderId(path: string): string | undefined {
  const { dev, ino } = statSync(path, { bigint: true, throwIfNoEntry: false }) ?? {};
  return dev === undefined ? undefined : `${dev}:${ino}`;
}

export const noteFile = (stateDir: string) => join(stateDir, "clone.json");

/** What a clone has noted of itself; undefined when it has not, or not in whole. */
export function readNote(stateDir: string): CloneNote | undefined {
  try {
    const note = JSON.parse(readFileSync(noteFile(stateDir), "utf8"));
    return typeof note?.id === "string" && Array.isArray(note.formerly) ? note : undefined;
  } catch {
    return undefined;
  }
}

/** Written beside: two commands at once write the same, and a copy made with hard links is another file. */
export function writeNote(stateDir: string, note: CloneNote): void {
  writeWhole(noteFile(stateDir), JSON.stringify(note, null, 2));
}

/** This clone's note; made where there is none. */
export function cloneNote(clone = root, state = stateDir): CloneNote {
  const known = readNote(state);
  if (known) return known;
  // Clusters of a stack that an earlier version brought up are known by the path alone.
  const name = existsSync(join(state, "stacks")) ? "" : randomUUID();
  const note: CloneNote = { id: folderId(clone) as string, path: clone, formerly: [], home: clone, name };
  const beside = `${noteFile(state)}.${randomUUID()}`;
  writeWhole(beside, JSON.stringify(note, null, 2));
  try {
    linkSync(beside, noteFile(state));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (!readNote(state)) renameSync(beside, noteFile(state)); // half of one
  } finally {
    rmSync(beside, { force: true });
  }
  return readNote(state) ?? note;
}

let own: string | undefined;

/** What processes that are started here are marked with. */
export function cloneId(): string {
  own ??= folderId(root) as string;
  return own;
}

/** Whether a mark is this clone's. */
export function isThisClone(id: string): boolean {
  if (id === cloneId()) return true;
  const note = readNote(stateDir);
  return note?.id === cloneId() && note.formerly.includes(id);
}

/**
 * A path below `.meshup` as it is in this clone now. The state has absolute paths, and may be of before a move; what it
 * names in another clone is not ours to touch.
 */
export function inThisClone(path: string): string {
  const [, below] = /^[\s\S]*\/\.meshup\/([\s\S]+)$/.exec(path) ?? [];
  return below === undefined || path.startsWith(`${stateDir}/`) ? path : join(stateDir, below);
}
