/** Tells whether a process belongs to this clone, or to the clone that its record was copied from. */
import { readlinkSync, statSync } from "node:fs";
import { cloneId, isThisClone } from "../lib/clone.ts";
import { isAlive, type ProcessIdentity } from "./table.ts";

/** A process, and the clone that started it. Records of an earlier version name no clone. */
export interface OwnedProcess extends ProcessIdentity {
  clone?: string;
}

/** Tells whether the process is alive and belongs to this clone. Only then may it be taken over or signalled. */
export function isOurs(process: OwnedProcess): boolean {
  return isAlive(process) && (process.clone === undefined ? wasStartedHere(process.pid) : isThisClone(process.clone));
}

/** Every process starts in its clone's folder. If the folder cannot be read, the record is trusted. */
function wasStartedHere(pid: number): boolean {
  const folder = workingFolder(pid);
  return folder === undefined || folder.deleted || folder.id === cloneId();
}

/** The current path of the folder that a process works in, even if it was moved. Undefined if there is no /proc. */
export function workingFolder(pid: number): { path: string; id: string; deleted: boolean } | undefined {
  try {
    const path = readlinkSync(`/proc/${pid}/cwd`);
    const { dev, ino } = statSync(`/proc/${pid}/cwd`, { bigint: true });
    return { path, id: `${dev}:${ino}`, deleted: path.endsWith(" (deleted)") };
  } catch {
    return undefined;
  }
}
