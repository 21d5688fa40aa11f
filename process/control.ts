/** Starting and stopping one operating system process that outlives us. */
import { spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { withPath } from "../lib/disk.mjs";
import { messageOf, UserError } from "../lib/errors.ts";
import { httpRequest } from "../lib/http.ts";
import { root } from "../lib/paths.ts";
import { processEnvironment } from "./environment.ts";
import { type LogStart, openLog, quote } from "./log.ts";
import { groupMembers, groupOf, identify, isAlive, type ProcessIdentity } from "./table.ts";

export interface StartOptions {
  name: string;
  command: string[];
  /** Added to what is passed on of our own: `processEnvironment`. */
  env: Record<string, string>;
  /** Absolute path of the log file. */
  log: string;
  /** What it writes into any file beyond this is lost, and it goes on; default: no limit. */
  maxFileBytes?: number;
  /** Called when the process exists and before its program runs. */
  onSpawn(identity: ProcessIdentity): void;
}

export interface Started {
  identity: ProcessIdentity;
  log: LogStart;
  /** How it ended, once it has; in words. */
  exit(): string | undefined;
}

/**
 * Waits for a line before it becomes the program: the pid is on disk by then. Should we be killed before that, the
 * pipe closes and it ends, so that there is no moment at which an unrecorded process runs.
 */
const gate = 'read -r go && exec "$@" </dev/null';

/** The kernel keeps the limit, so that no log can fill the disk. `ulimit` counts in blocks of 512 bytes. */
function limit(maxFileBytes: number | undefined): string {
  if (maxFileBytes === undefined) return "";
  const set = `ulimit -f ${Math.floor(maxFileBytes / 512)}`;
  return `trap "" XFSZ && (${set}) 2>/dev/null && ${set}; `;
}

/** Starts a program in a session of its own, so that neither our end nor Ctrl-C reaches it, in the clone's folder. */
export async function start(options: StartOptions): Promise<Started> {
  const { name, command, env, log, maxFileBytes, onSpawn } = options;
  const { fd, start: logStart } = openLog(log);
  try {
    const title = `--- ${new Date().toISOString()} ${name}: ${command.join(" ")}\n`;
    logStart.offset += withPath(log, () => writeSync(fd, title));
    const child = spawn("/bin/sh", ["-c", limit(maxFileBytes) + gate, name, ...command], {
      cwd: root,
      env: { ...processEnvironment(process.env), ...env },
      detached: true,
      stdio: ["pipe", fd, fd],
    });
    let exit: string | undefined;
    child.once("exit", (code, signal) => {
      exit = signal ? `ended by ${signal}` : `exited with code ${code}`;
    });
    const failure = new Promise<never>((_, reject) => child.once("error", reject));
    failure.catch(() => {});
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (!identity)
      throw await failure.catch((error) => new UserError(`${name} cannot be started: ${messageOf(error)}`));
    child.stdin?.on("error", () => {}); // it may be dead already
    try {
      onSpawn(identity);
    } catch (error) {
      child.stdin?.destroy(); // what could not be recorded is not to run
      throw error;
    }
    child.stdin?.end("\n");
    child.unref();
    return { identity, log: logStart, exit: () => exit };
  } finally {
    closeSync(fd);
  }
}

export interface Readiness {
  url: string;
  /** Milliseconds that it may take; `asLongAsItLives` for one that is busy, not broken, when it takes long. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Is told what is waited for, once it takes long. */
  say?: (message: string) => void;
}

export const asLongAsItLives = 2 ** 31 - 1;
const sayEveryMs = [5_000, 60_000];

/**
 * Polls an address until it answers 2xx.
 * @throws UserError with the process's own last words when it ends first, or is not ready in time.
 */
export async function waitReady(
  name: string,
  { identity, log, exit }: Started,
  { url, timeoutMs, signal, say }: Readiness,
): Promise<void> {
  const began = Date.now();
  let [last, nextSay] = ["nothing", began + (sayEveryMs[0] as number)];
  while (true) {
    if (signal.aborted) throw new UserError(`${name}: cancelled before it was ready`);
    if (!isAlive(identity)) {
      await sleep(20); // its exit event
      throw new UserError(`${name} ${exit() ?? "ended"} before it was ready${quote(log)}`);
    }
    try {
      const { status } = await httpRequest({ url, timeoutMs: 1000, signal });
      if (status >= 200 && status < 300) return;
      last = `status ${status}`;
    } catch (error) {
      last = (error as NodeJS.ErrnoException).code ?? messageOf(error);
    }
    const now = Date.now();
    if (now - began > timeoutMs) {
      throw new UserError(`${name} was not ready within ${timeoutMs} ms: ${url} gave ${last}, not 2xx${quote(log)}`);
    }
    if (now > nextSay && !signal.aborted) {
      const seconds = Math.round((now - began) / 1000);
      say?.(
        `${name} (pid ${identity.pid}) lives, but is not ready after ${seconds} s: ${url} gave ${last}. It is waited for.`,
      );
      nextSay = now + (sayEveryMs[1] as number);
    }
    await sleep(40);
  }
}

/**
 * Ends this very process and what it forked into its group: SIGTERM, and SIGKILL after `timeoutMs`.
 * Does nothing when it does not live; whoever has its pid now is none of ours.
 */
export async function stop(identity: ProcessIdentity, timeoutMs: number): Promise<void> {
  if (!isAlive(identity)) return;
  const { pid } = identity;
  // It leads a group since its start (setsid). The number stays taken as long as the group has a member.
  const leads = groupOf(pid) === pid;
  const gone = () => !isAlive(identity) && (!leads || groupMembers(pid).length === 0);
  const signal = (name: NodeJS.Signals) => {
    try {
      process.kill(leads ? -pid : pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return;
      throw new UserError(`process ${pid} cannot be stopped: ${messageOf(error)}`);
    }
  };
  signal("SIGTERM");
  if (await within(timeoutMs, gone)) return;
  signal("SIGKILL");
  if (await within(5000, gone)) return;
  throw new UserError(`process ${pid} does not end, even by SIGKILL`);
}

async function within(timeoutMs: number, condition: () => boolean): Promise<boolean> {
  const end = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > end) return false;
    await sleep(20);
  }
  return true;
}
