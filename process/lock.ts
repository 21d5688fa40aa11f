import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { folderId } from "../lib/clone.ts";
import { withPath } from "../lib/disk.mjs";
import { UserError } from "../lib/errors.ts";
import { NotYet, type OutOfTime, poll } from "../lib/poll.ts";
import { identify, isAlive, type ProcessIdentity, processSpace } from "./table.ts";

let taken = 0;

/** The holder of a lock, as written in the lock file. */
export interface Holder extends ProcessIdentity {
  /** The folder of the lock file. If it differs from the actual folder, the file is a copy. */
  place?: string;
  /** The machine and the container in which the process runs. */
  host?: string;
  space?: string;
}

/** This process as the holder of a lock file. */
export function holderOf(path: string): Holder {
  const identity = identify(process.pid) as ProcessIdentity;
  return { ...identity, place: folderId(dirname(path)), host: hostname(), space: processSpace() };
}

/** The holder may run on another machine, or in another container, that shares the folder. It touches the file while it lives. */
const [touchMs, staleMs] = [10_000, 60_000];

/** Touches a lock file as long as it is held. @returns a function that stops this */
export function keepFresh(path: string): () => void {
  const touch = () => {
    try {
      utimesSync(path, new Date(), new Date());
    } catch {
      // someone has removed the file
    }
  };
  const ticker = setInterval(touch, touchMs).unref();
  return () => clearInterval(ticker);
}

/** Tells whether the holder still has the lock: not if it has ended, and not if the file is a copy. */
export function stillHolds(holder: Holder, path: string): boolean {
  const { place, host = hostname(), space } = holder;
  if (place !== undefined && place !== folderId(dirname(path))) return false;
  if (host === hostname() && (space === undefined || space === processSpace())) return isAlive(holder);
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Date.now() - touched < staleMs;
}

/**
 * Runs `work` while holding the lock file `path`, so that it never runs twice at the same time. A lock expires if its
 * holder dies.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, timeoutMs = 120_000): Promise<T> {
  mkdirSync(dirname(path), { recursive: true });
  const look = () => {
    if (take(path)) return;
    const owner = readOwner(path);
    if (!owner || stillHolds(owner, path)) return new NotYet(`process ${owner?.pid}`);
    breakLock(path);
    return take(path) ? undefined : new NotYet("another process");
  };
  const late = ({ why }: OutOfTime) => {
    throw new UserError(
      `${path}: ${why} has held this lock for over ${timeoutMs / 1000} s; is another \`up\` running?`,
    );
  };
  await poll(look, { timeoutMs, everyMs: 25, late });
  const release = keepFresh(path);
  try {
    return await work();
  } finally {
    release();
    rmSync(path, { force: true });
  }
}

/** Writes a file of its own and links it into place in one step, so that nobody reads a half-written lock file. */
function take(path: string): boolean {
  const own = `${path}.${process.pid}.${taken++}`;
  try {
    withPath(own, () => writeFileSync(own, JSON.stringify(holderOf(path))));
    linkSync(own, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(own, { force: true });
  }
}

function readOwner(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined; // it was given back just now
    return { pid: 0, startTime: "", bootId: "" }; // cut short by a crash of the machine: nobody's
  }
}

/**
 * Removes a dead owner's lock. Two processes may try this at the same time: if the moved file is a newer lock, it is
 * put back.
 */
function breakLock(path: string): void {
  const aside = `${path}.${process.pid}.${taken++}`;
  try {
    renameSync(path, aside);
  } catch {
    return; // another was quicker
  }
  const moved = readOwner(aside);
  try {
    if (moved && stillHolds(moved, aside)) linkSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error; // a third one has taken it meanwhile
  } finally {
    rmSync(aside, { force: true });
  }
}
