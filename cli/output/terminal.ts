import { redact, redactIn } from "../../lib/redact.ts";

/**
 * Where a command's words go: results to standard output, progress to standard error. With `--json` standard output
 * belongs to the one JSON document, whatever else is written in this process.
 */
export interface Terminal {
  /** A line of the result. */
  print(line?: string): void;
  /** A line of progress, or a note. */
  note(line: string): void;
  /** A line that the next line of anything replaces; shown on a terminal only. */
  status(line: string): void;
  /** The one document of `--json`; nothing without `--json`. */
  document(value: unknown): void;
  readonly json: boolean;
  readonly paint: Paint;
}

export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  dim(text: string): string;
}

export interface TerminalOptions {
  json: boolean;
  stdout?: Sink;
  stderr?: Sink;
  env?: NodeJS.ProcessEnv;
}

/** What this needs of process.stdout and process.stderr. */
export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

export function createTerminal({
  json,
  stdout = process.stdout,
  stderr = process.stderr,
  env = process.env,
}: TerminalOptions): Terminal {
  let shown = "";
  const clear = () => {
    if (shown) stderr.write("\r\u001b[K");
    shown = "";
  };
  return {
    json,
    paint: paintFor(Boolean(stdout.isTTY) && Boolean(stderr.isTTY) && !env.NO_COLOR && env.TERM !== "dumb"),
    print(line = "") {
      clear();
      if (!json) stdout.write(`${redact(line)}\n`);
    },
    note(line) {
      clear();
      stderr.write(`${redact(line)}\n`);
    },
    status(line) {
      const text = redact(line).slice(0, (stderr.columns || 80) - 1);
      if (!stderr.isTTY || env.TERM === "dumb" || text === shown) return;
      clear();
      stderr.write(text);
      shown = text;
    },
    document(value) {
      clear();
      if (json) stdout.write(`${JSON.stringify(redactIn(value), null, 2)}\n`);
    },
  };
}

/** Colours: few, and none where they would be noise. */
export function paintFor(coloured: boolean): Paint {
  const wrap = (code: number) => (text: string) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { good: wrap(32), bad: wrap(31), dim: wrap(2) };
}

/**
 * Keeps standard output for the document: what a library or the person's program prints goes to standard error.
 * @returns the real standard output
 */
export function reserveStdout(): Sink {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr) as typeof process.stdout.write;
  return { write };
}

/** `850 ms`, `12 s`, `3 min 5 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1000);
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
