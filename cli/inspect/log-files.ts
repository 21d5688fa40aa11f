/** Reading log files that others write to. */
import { existsSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf, UserError } from "../../lib/errors.ts";
import { maxLogBytes } from "../../process/log.ts";
import { Lines, readPiece, withLog } from "../../process/log-text.ts";
import type { Logs, LogTail, OnLine } from "./logs.ts";

/** No more of a log than this is read for its last lines. */
const mostTailBytes = 64 * 1024 * 1024;
/** What is followed is read in pieces; the rest comes a moment later. */
const pieceBytes = 8 * 1024 * 1024;

/** The logs of this machine's processes. */
export class FileLogs implements Logs {
  readonly #files: Record<string, string>;

  /** @param files absolute paths by name */
  constructor(files: Record<string, string>) {
    this.#files = files;
  }

  get names(): string[] {
    return Object.keys(this.#files).sort();
  }

  async last(name: string, count: number): Promise<LogTail[]> {
    const from = this.#files[name] as string;
    try {
      const lines = lastLines(from, count);
      return [{ from, lines, ...(isFull(from) && { problem: fullText }) }];
    } catch (error) {
      return [{ from, lines: [], problem: messageOf(error), unreadable: true }];
    }
  }

  async follow(names: string[], count: number, onLine: OnLine, signal: AbortSignal): Promise<void> {
    const followers = names.map((name) => {
      const from = this.#files[name] as string;
      return { name, from, follower: new LogFollower(from) };
    });
    for (const name of names) {
      for (const { from, lines, problem, unreadable } of await this.last(name, count)) {
        if (unreadable) throw new UserError(problem as string);
        for (const line of lines) onLine(name, from, line);
        if (problem !== undefined) onLine(name, from, `--- ${problem}`);
      }
    }
    while (!signal.aborted) {
      for (const { name, from, follower } of followers)
        for (const line of follower.newLines()) onLine(name, from, line);
      await sleep(200, undefined, { signal }).catch(() => {});
    }
  }
}

const fullText = "the log is full, and newer lines are lost: npm start begins it anew";

/** Envoy's, that is: no other is kept from growing while it runs. */
function isFull(path: string): boolean {
  return statSync(path).size === maxLogBytes;
}

/**
 * The last lines of a file, and where it has too few, of the one that was put aside before; without reading all of it.
 * @throws UserError when it cannot be read
 */
export function lastLines(path: string, count: number): string[] {
  const lines = tail(path, count);
  const earlier = `${path}.1`;
  if (lines.length >= count || !existsSync(earlier)) return lines;
  return [...tail(earlier, count - lines.length), ...lines];
}

function tail(path: string, count: number): string[] {
  return withLog(path, (fd, size) => {
    if (count === 0) return [];
    for (let bytes = 64 * 1024; ; bytes *= 4) {
      const from = Math.max(0, size - Math.min(bytes, mostTailBytes));
      const reader = new Lines();
      const lines = [...reader.add(readPiece(fd, from, size - from)), ...reader.end()];
      if (from > 0) lines.shift(); // its beginning is missing
      if (lines.length >= count || from === 0 || bytes >= mostTailBytes) return lines.slice(-count);
    }
  });
}

/** Gives what is written to a file from now on, line by line; a file that was put aside or cut is begun anew. */
export class LogFollower {
  readonly #path: string;
  #inode: number | undefined;
  #offset: number;
  #lines = new Lines();

  constructor(path: string) {
    this.#path = path;
    const stat = statSync(path, { throwIfNoEntry: false });
    this.#inode = stat?.ino;
    this.#offset = stat?.size ?? 0;
  }

  /** @throws UserError when it is there and cannot be read */
  newLines(): string[] {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    if (!stat) return [];
    if (stat.ino !== this.#inode || stat.size < this.#offset) {
      this.#inode = stat.ino;
      this.#offset = 0;
      this.#lines = new Lines();
    }
    if (stat.size === this.#offset) return [];
    return withLog(this.#path, (fd) => {
      const piece = readPiece(fd, this.#offset, Math.min(pieceBytes, stat.size - this.#offset));
      this.#offset += piece.length;
      return this.#lines.add(piece);
    });
  }
}
