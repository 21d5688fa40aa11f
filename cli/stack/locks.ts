/** Two runs on one stack at once: who has it, and what a run that was killed has left. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { writeWhole } from "../../lib/files.ts";
import { type Holder, holderOf, keepFresh, stillHolds, withLock } from "../../process/lock.ts";
import { identify } from "../../process/table.ts";

/** A lock of Pulumi's file backend: `locks/organization/PROJECT/STACK/<uuid>.json`. */
export interface EngineLock {
  path: string;
  pid: number;
  username: string;
  hostname: string;
  timestamp: Date;
}

/** The locks that stand on a stack of the file backend in `folder`. */
export function engineLocks(folder: string, project: string, stack: string): EngineLock[] {
  const directory = join(folder, ".pulumi", "locks", "organization", project, stack);
  return filesIn(directory).flatMap((name) => {
    const path = join(directory, name);
    try {
      const { pid, username, hostname, timestamp } = JSON.parse(readFileSync(path, "utf8"));
      return [{ path, pid: Number(pid), username, hostname, timestamp: new Date(timestamp) }];
    } catch {
      return []; // it was given back just now
    }
  });
}

function filesIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
}

/**
 * Whether an engine's lock is of a living engine: `stale` when no process has its pid, or only one that started after
 * the lock was taken (the pid was given anew, after a restart of the machine for instance).
 *
 * @param startOf when the process with a pid started; undefined when there is none
 */
export function judgeLock(
  lock: Pick<EngineLock, "pid" | "hostname" | "timestamp">,
  host: string,
  startOf: (pid: number) => Date | undefined,
): "stale" | "held" | "elsewhere" {
  if (lock.hostname !== host) return "elsewhere";
  const started = startOf(lock.pid);
  if (!started) return "stale";
  const slackMs = 2_000; // a start time is in whole seconds, or in clock ticks from a boot time in whole seconds
  return started.getTime() > lock.timestamp.getTime() + slackMs ? "stale" : "held";
}

/** When a living process started, by the clock. */
export function processStart(pid: number): Date | undefined {
  const identity = identify(pid);
  if (!identity) return undefined;
  if (process.platform !== "linux") return new Date(`${identity.startTime} UTC`);
  const bootSeconds = Number(/^btime (\d+)$/m.exec(readFileSync("/proc/stat", "utf8"))?.[1]);
  return new Date((bootSeconds + Number(identity.startTime) / 100) * 1000);
}

/** Removes locks whose engine has ended. @returns a note for each, and those that are held */
export function clearStaleLocks(locks: EngineLock[], host = hostname(), startOf = processStart) {
  const notes: string[] = [];
  const held: EngineLock[] = [];
  for (const lock of locks) {
    if (judgeLock(lock, host, startOf) !== "stale") held.push(lock);
    else {
      rmSync(lock.path, { force: true });
      notes.push(`The lock of a run that was killed (pid ${lock.pid}, ${clock(lock.timestamp)}) was removed.`);
    }
  }
  return { notes, held };
}

/** What to say of a stack that another engine works on. */
export function heldError(stack: string, lock: EngineLock, host = hostname()): UserError {
  if (lock.hostname !== host)
    return new UserError(
      `Stack ${stack} is locked by ${lock.username} on ${lock.hostname} (pid ${lock.pid}, since ${clock(lock.timestamp)}). If nothing runs there any more, remove the lock: ${lock.path}`,
    );
  return new UserError(
    `Another run on stack ${stack} is under way (pid ${lock.pid}, since ${clock(lock.timestamp)}). Wait until it has ended; nothing was changed.`,
  );
}

function clock(date: Date): string {
  return date.toTimeString().slice(0, 8);
}

interface RunRecord extends Holder {
  command: string;
  since: string;
}

/**
 * Takes a stack for one command from beginning to end: the engine's own lock begins only once there is an engine.
 * @returns what gives it back, and whether the run before was killed
 * @throws UserError when another run has it
 */
export function takeStack(
  path: string,
  stack: string,
  command: string,
): Promise<{ release: () => void; takenOver: boolean }> {
  return withLock(`${path}.guard`, async () => {
    const other = readRun(path);
    if (other && stillHolds(other, path))
      throw new UserError(
        `Another run on stack ${stack} is under way (npm run ${other.command}, pid ${other.pid}, since ${clock(new Date(other.since))}). Wait until it has ended; nothing was changed.`,
      );
    const own: RunRecord = { ...holderOf(path), command, since: new Date().toISOString() };
    writeWhole(path, JSON.stringify(own), 0o600);
    const stop = keepFresh(path);
    const release = () => {
      stop();
      if (readRun(path)?.pid === process.pid) rmSync(path, { force: true });
    };
    return { release, takenOver: other !== undefined };
  });
}

function readRun(path: string): RunRecord | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
