/** Starting and stopping one operating system process that outlives us. */
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

/** Starts a program in a session of its own, so that neither our end nor Ctrl-C reaches it. */
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

/** It answers 2xx at an address, or takes a connection on a port of 127.0.0.1. */
export type Ready = { url: string } | { port: number };

export interface Readiness {
  ready: Ready;
  /** Milliseconds that it may take; `asLongAsItLives` for one that is busy, not broken, when it takes long. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Is told what is waited for, once it takes long. */
  say?: (message: string) => void;
}

export const asLongAsItLives = 2 ** 31 - 1;
/** After so long the person is told, and again each time as much as `sayAgainMs` has passed. */
const sayAfterMs = 5_000;
const sayAgainMs = 60_000;

/**
 * Waits until it is ready.
 * @throws UserError with the process's own last words when it ends first; with where it listens, too, when it is not ready
 * in time.
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
      // Its exit event may take a while on a busy machine; another run's process has none.
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

/** What is not yet as it has to be, and whether nobody took the connection. */
export interface Missing {
  what: string;
  refused: boolean;
}

interface Look {
  timeoutMs: number;
  signal?: AbortSignal;
}

/** @returns undefined where it is ready */
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

/** Of a process and its children. */
function whereItListens(pid: number): string {
  const listeners = listenersOf(sessionMembers(pid)).map(({ address, port }) =>
    address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
  );
  return listeners.length === 0 ? "it listens on no port" : `it listens on ${listeners.join(", ")}`;
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
  if (await holds(gone, { timeoutMs, everyMs: 20 })) return;
  signal("SIGKILL");
  if (await holds(gone, { timeoutMs: 5000, everyMs: 20 })) return;
  throw new UserError(`process ${pid} does not end, even by SIGKILL`);
}
