/** The log of a process: where it begins, how its size is limited, and its last lines. */
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

/** The next `up` rotates a log that is longer than this. It keeps the last part, of this length, as `<path>.1`. */
export const longLogBytes = 10 * 1024 * 1024;
/**
 * For a process whose log is filled by others, as filters fill Envoy's. Anything beyond is lost until the next `up`.
 */
export const maxLogBytes = 100 * 1024 * 1024;
/** Marks of the line that tells the reason, in Envoy and in other programs. */
const fatal = /\[(critical|fatal)\]|\b(fatal|panic)\b/i;
/** Lines that modules and scripts log through Envoy. They can look like anything. */
const ofModules = /\] (wasm|script) log\b/;

/** Offset at which a process's log begins in its file. The file also holds the logs of earlier processes. */
export interface LogStart {
  path: string;
  offset: number;
}

/** Opens a log for appending. A long log is rotated first. The caller closes `fd`. */
export function openLog(path: string): { fd: number; start: LogStart } {
  mkdirSync(dirname(path), { recursive: true });
  const found = statSync(path, { throwIfNoEntry: false });
  // Opening a pipe would wait forever for its reader.
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

/** Tells whether the next `up` must act: the log is long, or its file is missing. */
export function needsCare(path: string): boolean {
  return isLost(path) || sizeOf(path) > longLogBytes;
}

/** Tells whether someone has removed the file, so that log lines are lost. */
export function isLost(path: string): boolean {
  return !statSync(path, { throwIfNoEntry: false })?.isFile();
}

/**
 * Rotates a long log while its process still writes; lines written at that moment are lost. On a full disk the log is
 * cut even if its end cannot be kept.
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

/** The last ten lines of a process, after earlier lines that report a failure. */
export function lastWords({ path, offset }: LogStart): string[] {
  const text = endOf(path, Math.max(0, Math.min(logSize(path) - offset, 256 * 1024)));
  const lines = text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.slice(0, 2000));
  const last = lines.splice(-10);
  return [...lines.filter((line) => fatal.test(line) && !ofModules.test(line)).slice(-3), ...last];
}

/** The last lines, formatted as a part of a message. */
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
