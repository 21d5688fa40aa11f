/** The log of a process: where it begins, how it is kept from growing without end, and what was said last. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { mendable, messageOf, UserError } from "../lib/errors.ts";
import { endOf, logSize, readPiece, withLog } from "./log-text.ts";

/** A longer log is put aside by the next `up`: its last part, as long as this, is kept as `<path>.1`. */
export const longLogBytes = 10 * 1024 * 1024;
/** For a process that others make log, as filters do Envoy: what comes beyond it is lost until the next `up`. */
export const maxLogBytes = 100 * 1024 * 1024;
/** Envoy's and others' marks of the line that says why. */
const fatal = /\[(critical|fatal)\]|\b(fatal|panic)\b/i;
/** What modules and scripts log through Envoy, whatever it looks like. */
const ofModules = /\] (wasm|script) log\b/;

/** Where one process's log begins in its file, which holds those of earlier processes as well. */
export interface LogStart {
  path: string;
  offset: number;
}

/** Opens a log for appending; a long one is put aside first. The caller closes `fd`. */
export function openLog(path: string): { fd: number; start: LogStart } {
  mkdirSync(dirname(path), { recursive: true });
  const found = statSync(path, { throwIfNoEntry: false });
  // To open a pipe would wait for its reader without end.
  if (found && !found.isFile()) throw new UserError(`the log ${path} cannot be written: it is no file. Remove it.`);
  try {
    putAside(path);
    const offset = sizeOf(path);
    return { fd: openSync(path, "a", 0o600), start: { path, offset } };
  } catch (error) {
    throw mendable(error) ?? new UserError(`the log ${path} cannot be written: ${messageOf(error)}`);
  }
}

export function deleteLog(path: string): void {
  for (const one of [path, `${path}.1`, `${path}.1.new`]) rmSync(one, { recursive: true, force: true });
}

/** Whether the next `up` has something to do for it: it is long, or it is not there though somebody writes to it. */
export function needsCare(path: string): boolean {
  return isLost(path) || sizeOf(path) > longLogBytes;
}

/** What is written to it goes nowhere: somebody has removed the file. */
export function isLost(path: string): boolean {
  return !statSync(path, { throwIfNoEntry: false })?.isFile();
}

/**
 * Puts a long log aside and begins it anew, while its process goes on writing: what it writes just then is lost. A disk
 * that is full is no reason to keep all of it.
 */
export function putAside(path: string): void {
  if (!existsSync(path) || sizeOf(path) <= longLogBytes) return;
  const beside = `${path}.1.new`;
  try {
    copyEnd(path, beside);
    renameSync(beside, `${path}.1`);
  } catch {
    rmSync(beside, { recursive: true, force: true });
  }
  truncateSync(path, 0);
}

function copyEnd(path: string, to: string): void {
  const out = openSync(to, "w", 0o600);
  try {
    const pieceBytes = 1024 * 1024;
    withLog(path, (fd, size) => {
      for (let at = size - longLogBytes; at < size; at += pieceBytes) writeSync(out, readPiece(fd, at, pieceBytes));
    });
  } finally {
    closeSync(out);
  }
}

/** What a process said last: its last ten lines, after earlier ones that say it failed. */
export function lastWords({ path, offset }: LogStart): string[] {
  const text = endOf(path, Math.max(0, Math.min(logSize(path) - offset, 256 * 1024)));
  const lines = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.slice(0, 2000));
  const last = lines.splice(-10);
  return [...lines.filter((line) => fatal.test(line) && !ofModules.test(line)).slice(-3), ...last];
}

/** The same as a part of a message. */
export function quote(log: LogStart): string {
  try {
    const lines = lastWords(log);
    return lines.length > 0
      ? `\nIts log (${log.path}) ends with\n  ${lines.join("\n  ")}`
      : `\nIts log (${log.path}) is empty`;
  } catch (error) {
    return `\n${messageOf(error)}`;
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
