/** Reading log files that others write to. */
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Logs, LogTail, OnLine } from "./logs.ts";

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
    return [{ from, lines: existsSync(from) ? lastLines(from, count) : [] }];
  }

  async follow(names: string[], count: number, onLine: OnLine, signal: AbortSignal): Promise<void> {
    const followers = names.map((name) => {
      const from = this.#files[name] as string;
      return { name, from, follower: new LogFollower(from) };
    });
    for (const name of names)
      for (const { from, lines } of await this.last(name, count)) for (const line of lines) onLine(name, from, line);
    while (!signal.aborted) {
      for (const { name, from, follower } of followers)
        for (const line of follower.newLines()) onLine(name, from, line);
      await sleep(200, undefined, { signal }).catch(() => {});
    }
  }
}

/** The last lines of a file, without reading all of it. */
export function lastLines(path: string, count: number): string[] {
  if (count === 0) return [];
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    if (size === 0) return [];
    for (let bytes = 64 * 1024; ; bytes *= 4) {
      const from = Math.max(0, size - bytes);
      const lines = readFrom(fd, from, size).toString("utf8").replace(/\n$/, "").split("\n");
      if (from > 0) lines.shift(); // its beginning is missing
      if (lines.length >= count || from === 0) return lines.slice(-count);
    }
  } finally {
    closeSync(fd);
  }
}

/** Gives what is written to a file from now on, line by line; a file that was put aside or cut is begun anew. */
export class LogFollower {
  readonly #path: string;
  #inode: number | undefined;
  #offset: number;
  #rest = Buffer.alloc(0);

  constructor(path: string) {
    this.#path = path;
    const stat = statSync(path, { throwIfNoEntry: false });
    this.#inode = stat?.ino;
    this.#offset = stat?.size ?? 0;
  }

  newLines(): string[] {
    const stat = statSync(this.#path, { throwIfNoEntry: false });
    if (!stat) return [];
    if (stat.ino !== this.#inode || stat.size < this.#offset) {
      this.#inode = stat.ino;
      this.#offset = 0;
      this.#rest = Buffer.alloc(0);
    }
    if (stat.size === this.#offset) return [];
    const fd = openSync(this.#path, "r");
    try {
      const text = Buffer.concat([this.#rest, readFrom(fd, this.#offset, stat.size)]);
      this.#offset = stat.size;
      const end = text.lastIndexOf(10);
      this.#rest = text.subarray(end + 1);
      return end < 0 ? [] : text.subarray(0, end).toString("utf8").split("\n");
    } finally {
      closeSync(fd);
    }
  }
}

function readFrom(fd: number, from: number, to: number): Buffer {
  const buffer = Buffer.alloc(to - from);
  const read = readSync(fd, buffer, 0, buffer.length, from);
  return buffer.subarray(0, read);
}
