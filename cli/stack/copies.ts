/** A clone that was moved goes on with what runs in it; a copy of a clone leaves that to the original, and begins anew. */
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type CloneNote, cloneNote, folderId, readNote, writeNote } from "../../lib/clone.ts";
import { root, stateDir } from "../../lib/paths.ts";
import { workingFolder } from "../../process/owner.ts";
import { readRecord, recordsIn } from "../../process/record.ts";
import { isAlive } from "../../process/table.ts";

/** What tells of stacks that are up; a copy has what was built, and the passphrase of people's own secrets, too. */
const ofStacks = ["stacks", "state", "workspaces", "locks"];

/** As many disks as a clone may have been moved over while its processes run. */
const keptFormerly = 5;

/**
 * To be called before anything else looks at what the clone has noted.
 * @param note a line for the person
 */
export function settleClone(note: (line: string) => void, clone = root, state = stateDir): void {
  const id = folderId(clone) as string;
  const known = readNote(state);
  const original = known ? otherPlace(known, id, clone, state) : runningElsewhere(state, undefined, id);
  if (original !== undefined) {
    if (forgetStacks(state))
      note(`This clone is a copy of ${original}: what runs is that one's, and here nothing is up yet.`);
    writeNote(state, { id, path: clone, formerly: [], home: clone, name: randomUUID() });
  } else if (!known) cloneNote(clone, state);
  else if (known.id !== id || known.path !== clone) writeNote(state, asHeir(known, id, clone));
}

/** Where the clone is that has written the note, if that is not this one; undefined where it is, or has gone. */
function otherPlace(known: CloneNote, id: string, clone: string, state: string): string | undefined {
  if (known.id === id) return undefined; // the same folder, moved or not
  const there = readNote(join(known.path, ".meshup"));
  const isSame = known.name !== "" && there?.name === known.name; // its disk may have another number by now
  if (known.path !== clone && (folderId(known.path) === known.id || isSame)) return known.path;
  return runningElsewhere(state, known.id, id);
}

/** The folder that processes on record run in, if that is another clone. */
function runningElsewhere(state: string, startedBy: string | undefined, id: string): string | undefined {
  for (const record of recordsOf(state)) {
    if (record.clone !== startedBy || !isAlive(record)) continue;
    const folder = workingFolder(record.pid);
    const isOriginal = folder && !folder.deleted && folder.id !== id;
    if (isOriginal && (startedBy === undefined || folder.id === startedBy)) return folder.path;
  }
  return undefined;
}

function recordsOf(state: string) {
  const stacks = join(state, "stacks");
  const names = existsSync(stacks) ? readdirSync(stacks) : [];
  return names.flatMap((name) => recordsIn(join(stacks, name)).flatMap((path) => readRecord(path) ?? []));
}

/** The clone after a move; where that was to another disk, it is another folder, and what runs there is still its own. */
function asHeir(known: CloneNote, id: string, clone: string): CloneNote {
  const formerly = [...new Set([known.id, ...known.formerly])].filter((one) => one !== id).slice(0, keptFormerly);
  return { ...known, id, path: clone, formerly: known.id === id ? known.formerly : formerly };
}

/** @returns whether one was up */
function forgetStacks(state: string): boolean {
  const wasUp = existsSync(join(state, "stacks"));
  for (const name of ofStacks) rmSync(join(state, name), { recursive: true, force: true });
  return wasUp;
}
