/** Taking a stack down on a full disk: nothing of it may need room. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fullDisk } from "../../lib/disk.mjs";
import { DiskError, isDiskFull } from "../../lib/errors.ts";
import { stackDir, stateDir } from "../../lib/paths.ts";
import { takeStack } from "./locks.ts";
import { type Deployment, runLock } from "./stack.ts";

/** As `takeStack`; what nobody needs makes room. Where that is not enough, it goes without a lock, which nobody could take. */
export async function takeStackOnAnyDisk(name: string, command: string): ReturnType<typeof takeStack> {
  for (const attempt of ["as it is", "with room"])
    try {
      if (attempt === "with room") makeRoom(name);
      return await takeStack(runLock(name), name, command);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
    }
  return { release: () => {}, takenOver: false };
}

/**
 * Makes room for the engine's notes of what it deletes.
 * @throws DiskError where there is none, unless the stack is elsewhere, too: what that is only the engine can take down
 */
export function requireRoom(name: string, state: Deployment): void {
  if (fullDisk(stateDir) !== undefined) makeRoom(name);
  const full = fullDisk(stateDir);
  if (full !== undefined && !isElsewhere(state)) throw new DiskError(full);
}

/** Whether anything of the stack is not on this machine. */
export function isElsewhere(state: Deployment | undefined): boolean {
  const types = state?.resources?.map(({ type }) => type) ?? [];
  return types.some((type) => !/^(meshup|pulumi):/.test(type));
}

/** Removes temporary files, what Pulumi keeps of earlier updates, and the older half of logs. */
function makeRoom(name: string): void {
  const backend = join(stateDir, "state", ".pulumi");
  const expendable = [
    ...["history", "backups"].map((folder) => join(backend, folder)),
    ...childrenOf(join(stateDir, "tmp")),
    ...childrenOf(stackDir(name)).filter((path) => path.endsWith(".log.1")),
  ];
  for (const path of expendable) rmSync(path, { recursive: true, force: true });
}

function childrenOf(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((entry) => join(folder, entry)) : [];
}
