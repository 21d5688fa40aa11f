import { closeSync, mkdirSync, openSync, readSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname } from "node:path";

const maxBytes = 10 * 1024 * 1024;
/** Envoy's and others' marks of the line that says why. */
const fatal = /\[(critical|fatal)\]|\b(fatal|panic)\b/i;

/** Where one process's log begins in its file, which holds those of earlier processes as well. */
export interface LogStart {
  path: string;
  offset: number;
}

/** Opens a log for appending; a long one is put aside as `<path>.1` first. The caller closes `fd`. */
export function openLog(path: string): { fd: number; start: LogStart } {
  mkdirSync(dirname(path), { recursive: true });
  if (sizeOf(path) > maxBytes) renameSync(path, `${path}.1`);
  const offset = sizeOf(path);
  return { fd: openSync(path, "a", 0o600), start: { path, offset } };
}

export function deleteLog(path: string): void {
  rmSync(path, { force: true });
  rmSync(`${path}.1`, { force: true });
}

/** What a process said last: its last ten lines, after earlier ones that say it failed. */
export function lastWords({ path, offset }: LogStart): string[] {
  const size = sizeOf(path);
  const from = Math.max(offset, size - 256 * 1024);
  const buffer = Buffer.alloc(Math.max(0, size - from));
  const fd = openSync(path, "r");
  try {
    readSync(fd, buffer, 0, buffer.length, from);
  } finally {
    closeSync(fd);
  }
  const lines = buffer
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.slice(0, 2000));
  const last = lines.splice(-10);
  return [...lines.filter((line) => fatal.test(line)).slice(-3), ...last];
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
