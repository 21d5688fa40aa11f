/** Reading what others write to a log, of any size, in bounded pieces. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { messageOf, UserError } from "../lib/errors.ts";

const pieceBytes = 1024 * 1024;
/** A longer line is cut: a file may be one line of many GB. */
const lineBytes = 64 * 1024;
/** Of the new text, at most this many bytes at each end are read. */
const endBytes = 32 * 1024 * 1024;

/** @throws UserError if the log cannot be read, with the reason */
export function logSize(path: string): number {
  return withLog(path, (_, size) => size);
}

/**
 * The lines written after the log's first `offset` bytes. If there are very many, only those at the beginning and at
 * the end. A long line is cut.
 * @throws UserError if the log cannot be read, with the reason
 */
export function* linesSince(path: string, offset: number): Generator<string> {
  const fd = openLogForReading(path);
  try {
    const { size } = fstatSync(fd);
    const from = size < offset ? 0 : offset; // the log was truncated meanwhile
    if (size - from <= 2 * endBytes) yield* linesOf(fd, from, size);
    else {
      yield* linesOf(fd, from, from + endBytes);
      yield* linesOf(fd, size - endBytes, size);
    }
  } finally {
    closeSync(fd);
  }
}

function* linesOf(fd: number, from: number, to: number): Generator<string> {
  const lines = new Lines();
  for (let at = from; at < to; at += pieceBytes) yield* lines.add(readPiece(fd, at, Math.min(pieceBytes, to - at)));
  yield* lines.end();
}

/** Splits pieces of text into lines. */
export class Lines {
  #rest = Buffer.alloc(0);
  /** The current line has already been returned, cut to its maximum length. */
  #cut = false;

  /** @returns the lines that are complete now */
  add(piece: Buffer): string[] {
    const all = Buffer.concat([this.#rest, piece]);
    const lines: string[] = [];
    let start = 0;
    for (let end = all.indexOf(10); end >= 0; end = all.indexOf(10, start)) {
      if (!this.#cut) lines.push(shown(all.subarray(start, end)));
      this.#cut = false;
      start = end + 1;
    }
    this.#rest = this.#cut ? Buffer.alloc(0) : all.subarray(start);
    if (this.#rest.length > lineBytes) {
      lines.push(shown(this.#rest));
      this.#rest = Buffer.alloc(0);
      this.#cut = true;
    }
    return lines;
  }

  /** @returns the last line, if no newline ends it */
  end(): string[] {
    return this.#rest.length > 0 ? [shown(this.#rest)] : [];
  }
}

function shown(line: Buffer): string {
  return line.length <= lineBytes ? line.toString("utf8") : `${line.toString("utf8", 0, lineBytes)} …`;
}

/** The end of a log, at most `bytes` bytes. @throws UserError if the log cannot be read */
export function endOf(path: string, bytes: number): string {
  return withLog(path, (fd, size) => {
    const from = Math.max(0, size - bytes);
    return readPiece(fd, from, size - from).toString("utf8");
  });
}

/** Reads a piece of a log. Returns less than `size` bytes if the log has become shorter meanwhile. */
export function readPiece(fd: number, from: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  return buffer.subarray(0, readSync(fd, buffer, 0, size, from));
}

/** @throws UserError if the log cannot be read, with the reason */
export function withLog<T>(path: string, work: (fd: number, size: number) => T): T {
  const fd = openLogForReading(path);
  try {
    return work(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

function openLogForReading(path: string): number {
  try {
    if (!statSync(path).isFile()) throw new Error("it is no file");
    return openSync(path, "r");
  } catch (error) {
    throw new UserError(`the log ${path} cannot be read: ${messageOf(error)}`);
  }
}
