/** Starts and stops one operating system process that runs on after its starter ends. */
import { spawn } from "node:child_process";
import { closeSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { withPath } from "../lib/disk.mjs";
import { messageOf, UserError } from "../lib/errors.ts";
import { httpRequest } from "../lib/http.ts";
import { holds, NotYet, poll } from "../lib/poll.ts";
import { processEnvironment } from "./environment.ts";
import { listenersOf } from "./listening.ts";
import { type LogStart, openLog, quote } from "./log.ts";
import { groupMembers, groupOf, identify, isAlive, type ProcessIdentity, sessionMembers } from "./table.ts";

export interface StartOptions {
  name: string;
  command: string[];
  /** Absolute path of the folder that it runs in. */
  workingDirectory: string;
  /** Added to the part of our own environment that is passed on: `processEnvironment`. */
  env: Record<string, string>;
  /** Absolute path of the log file. */
  log: string;
  /**
   * Limit in bytes for each file that the process writes. Anything beyond is lost, and the process runs on. Default: no
   * limit.
   */
  maxFileBytes?: number;
  /** Called when the process exists and before its program runs. */
  onSpawn(identity: ProcessIdentity): void;
}

export interface Started {
  identity: ProcessIdentity;
  log: LogStart;
  /** How the process ended, in words; undefined while it runs. */
  exit(): string | undefined;
}

/**
 * The shell waits for a line before it becomes the program. By then, the pid is on disk. If we are killed before that,
 * the pipe closes and the shell ends: an unrecorded process never runs.
 */
const gate = 'read -r go && exec "$@" </dev/null';

/** The kernel keeps the limit, so that no log can fill the disk. `ulimit` counts in blocks of 512 bytes. */
function limit(maxFileBytes: number | undefined): string {
  if (maxFileBytes === undefined) return "";
  const set = `ulimit -f ${Math.floor(maxFileBytes / 512)}`;
  return `trap "" XFSZ && (${set}) 2>/dev/null && ${set}; `;
}

/** Starts a program in its own session, so that neither our end nor Ctrl-C reaches it. */
export async function start(options: StartOptions): Promise<Started> {
  const { name, command, workingDirectory, env, log, maxFileBytes, onSpawn } = options;
  const { fd, start: logStart } = openLog(log);
  try {
    const title = `--- ${new Date().toISOString()} ${name}: ${command.join(" ")}\n`;
    logStart.offset += withPath(log, () => writeSync(fd, title));
    const child = spawn("/bin/sh", ["-c", limit(maxFileBytes) + gate, name, ...command], {
      cwd: workingDirectory,
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
      child.stdin?.destroy(); // a process without a record must not run
      throw error;
    }
    child.stdin?.end("\n");
    child.unref();
    return { identity, log: logStart, exit: () => exit };
  } finally {
    closeSync(fd);
  }
}

/** Ready means: the address answers 2xx, or the port of 127.0.0.1 accepts a connection. */
export type Ready = { url: string } | { port: number };

export interface Readiness {
  ready: Ready;
  /** Milliseconds that it may take; `asLongAsItLives` for one that is busy, not broken, when it takes long. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Tells the user what is waited for, if it takes long. */
  say?: (message: string) => void;
}

export const asLongAsItLives = 2 ** 31 - 1;
/** The first message comes after `sayAfterMs`, the next ones every `sayAgainMs`. */
const sayAfterMs = 5_000;
const sayAgainMs = 60_000;

/**
 * Waits until the process is ready.
 * @throws UserError with the last lines of its log: if it ends first, or if it is not ready in time (then also with the
 * addresses that it listens on)
 */
export async function waitReady(
  name: string,
  { identity, log, exit }: Started,
  { ready, timeoutMs, signal, say }: Readiness,
): Promise<void> {
  const began = Date.now();
  let nextSay = began + sayAfterMs;
  let missing: Missing | undefined;
  const look = async () => {
    if (!isAlive(identity)) {
      // On a busy machine the exit event may come late. A process of another run has no exit event here.
      await holds(() => exit() !== undefined, { timeoutMs: 1000, everyMs: 20 });
      throw new UserError(`${name} ${exit() ?? "ended"} before it was ready${quote(log)}`);
    }
    missing = await missingOf(ready, { timeoutMs: 1000, signal });
    if (missing === undefined) return;
    const { what } = missing;
    const now = Date.now();
    if (now > nextSay && !signal.aborted) {
      const seconds = Math.round((now - began) / 1000);
      say?.(`${name} (pid ${identity.pid}) lives, but is not ready after ${seconds} s: ${what}. It is waited for.`);
      nextSay = now + sayAgainMs;
    }
    return new NotYet(what);
  };
  await poll(look, {
    timeoutMs,
    everyMs: 40,
    signal,
    cancelled: `${name}: cancelled before it was ready`,
    late: ({ why }) => {
      const elsewhere = missing?.refused ? `; ${whereItListens(identity.pid)}` : "";
      throw new UserError(`${name} was not ready within ${timeoutMs} ms: ${why}${elsewhere}${quote(log)}`);
    },
  });
}

/** The condition that is not met yet, and whether the connection was refused. */
export interface Missing {
  what: string;
  refused: boolean;
}

interface Look {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** @returns undefined if the process is ready */
export function missingOf(ready: Ready, look: Look): Promise<Missing | undefined> {
  return "url" in ready ? missingAnswer(ready.url, look) : missingListener(ready.port, look);
}

async function missingAnswer(url: string, { timeoutMs, signal }: Look): Promise<Missing | undefined> {
  const gave = (last: string) => `${url} gave ${last}, not 2xx`;
  try {
    const { status } = await httpRequest({ url, timeoutMs, signal });
    return status >= 200 && status < 300 ? undefined : { what: gave(`status ${status}`), refused: false };
  } catch (error) {
    const { code = messageOf(error) } = error as NodeJS.ErrnoException;
    return { what: gave(code), refused: code === "ECONNREFUSED" };
  }
}

function missingListener(port: number, { timeoutMs }: Look): Promise<Missing | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    const end = (missing?: Missing) => {
      socket.destroy();
      resolve(missing);
    };
    socket.setTimeout(timeoutMs, () => end({ what: `127.0.0.1:${port} takes no connection`, refused: false }));
    socket.once("connect", () => end());
    socket.once("error", () => end({ what: `nothing listens on 127.0.0.1:${port}`, refused: true }));
  });
}

/** The addresses that a process and its children listen on. */
function whereItListens(pid: number): string {
  const listeners = listenersOf(sessionMembers(pid)).map(({ address, port }) =>
    address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
  );
  return listeners.length === 0 ? "it listens on no port" : `it listens on ${listeners.join(", ")}`;
}

/**
 * Ends this process and the processes in its group: SIGTERM, then SIGKILL after `timeoutMs`. Does nothing if it has
 * ended: its pid may belong to another process now.
 */
export async function stop(identity: ProcessIdentity, timeoutMs: number): Promise<void> {
  if (!isAlive(identity)) return;
  const { pid } = identity;
  // The process has led a group since its start (setsid). The number stays in use as long as the group has a member.
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
  if (await holds(gone, { timeoutMs, everyMs: 20 })) return;
  signal("SIGKILL");
  if (await holds(gone, { timeoutMs: 5000, everyMs: 20 })) return;
  throw new UserError(`process ${pid} does not end, even by SIGKILL`);
}
