/** Whose a process is: this clone's, or another one's of which this clone has a copied record. */
import { readlinkSync, statSync } from "node:fs";
import { cloneId, isThisClone } from "../lib/clone.ts";
import { isAlive, type ProcessIdentity } from "./table.ts";

/** A process, and the clone that has started it; an earlier version noted none. */
export interface OwnedProcess extends ProcessIdentity {
  clone?: string;
}

/** Whether it lives and is this clone's: only then may it be taken over, or signalled. */
export function isOurs(process: OwnedProcess): boolean {
  return isAlive(process) && (process.clone === undefined ? wasStartedHere(process.pid) : isThisClone(process.clone));
}

/** Every process was started in its clone's folder. Where that cannot be seen, the record is believed. */
function wasStartedHere(pid: number): boolean {
  const folder = workingFolder(pid);
  return folder === undefined || folder.deleted || folder.id === cloneId();
}

/** The folder that a process works in: its path now, wherever it was moved to. Undefined where there is no /proc. */
export function workingFolder(pid: number): { path: string; id: string; deleted: boolean } | undefined {
  try {
    const path = readlinkSync(`/proc/${pid}/cwd`);
    const { dev, ino } = statSync(`/proc/${pid}/cwd`, { bigint: true });
    return { path, id: `${dev}:${ino}`, deleted: path.endsWith(" (deleted)") };
  } catch {
    return undefined;
  }
}
