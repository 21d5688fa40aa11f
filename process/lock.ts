import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { withPath } from "../lib/disk.mjs";
import { UserError } from "../lib/errors.ts";
import { identify, isAlive, type ProcessIdentity } from "./table.ts";

let taken = 0;

/**
 * Runs `work` while holding the lock file `path`, so that nobody else on this machine does the same at once.
 * A lock whose owner has ended (killed half-way) counts for nothing.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, timeoutMs = 120_000): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const end = Date.now() + timeoutMs;
  while (!take(path)) {
    const owner = readOwner(path);
    if (owner && !isAlive(owner)) breakLock(path);
    else if (Date.now() > end) {
      throw new UserError(
        `${path}: process ${owner?.pid} has held this lock for over ${timeoutMs / 1000} s; is another \`up\` running?`,
      );
    } else await sleep(25);
  }
  try {
    return await work();
  } finally {
    rmSync(path, { force: true });
  }
}

/** A link appears with its content or not at all: nobody reads a lock that has no owner yet. */
function take(path: string): boolean {
  const own = `${path}.${process.pid}.${taken++}`;
  try {
    withPath(own, () => writeFileSync(own, JSON.stringify(identify(process.pid))));
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function readOwner(path: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined; // it was given back just now
    return { pid: 0, startTime: "", bootId: "" }; // cut short by a crash of the machine: nobody's
  }
}

/** Takes a dead owner's lock away. Two may try at once: who moved a newer lock than it looked at puts that back. */
function breakLock(path: string): void {
  const aside = `${path}.${process.pid}.${taken++}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another was quicker
  }
  const moved = readOwner(aside);
  try {
    if (moved && isAlive(moved)) linkSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}
