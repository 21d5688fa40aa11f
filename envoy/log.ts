/** What Envoy's log says: Envoy's own words, told from those of the modules and scripts that it runs. */
import { linesSince } from "../process/log-text.ts";

/**
 * How a standalone Envoy logs. `%_`: an entry is one line, whatever a module logs, as its newlines come as `\n`. By way
 * of `--log-path`, since an Envoy that cannot write to standard error once (a full disk) never does again.
 */
export const logArguments = [
  ...["--log-format", "[%Y-%m-%d %T.%e][%t][%l][%n] [%g:%#] %_"],
  ...["--log-path", "/dev/stderr", "--file-flush-min-size-kb", "0", "--file-flush-interval-msec", "100"],
];

export interface Entry {
  /** On Linux the main thread's is the pid. */
  thread: number;
  level: string;
  logger: string;
  message: string;
}

/** Undefined for a line that is no entry of Envoy's log, such as the second one of a text with newlines. */
export function parseEntry(line: string): Entry | undefined {
  const match = /^\[[^\]]*\]\[(\d+)\]\[(\w+)\]\[([\w.]+)\] (?:\[[^\]]*\] )?(.*)$/.exec(line);
  if (!match) return undefined;
  const [, thread, level = "", logger = "", message = ""] = match;
  return { thread: Number(thread), level, logger, message };
}

/** Envoy hands on what modules log as `wasm log [ROOT] [VM]: …`, and what scripts do as `script log: …`. */
export function isOthers({ logger, message }: Entry): boolean {
  return (logger === "wasm" && /^wasm log\b/.test(message)) || (logger === "lua" && message.startsWith("script log"));
}

const severe = new Set(["warning", "error", "critical"]);
/** Comes with every configuration, and says nothing of it. */
const noise = /^Deprecated field|Using deprecated option/;
/** No more lines of a kind than this: some repeat themselves with other numbers. */
const mostLines = 20;

/** What is to be known of what was logged while a change was under way. */
export interface Said {
  /** What Envoy complains of, each once, without time and thread: `[error][wasm] Function: … failed: …`. */
  complaints: string[];
  /** Whether a module that was given to Envoy did not start. */
  startFailed: boolean;
  /** The last complaints of the filters' own modules: `[error] header_1 has to be a text`. */
  modules: string[];
}

/** Whose words count. */
export interface Listening {
  /** Envoy's pid; NaN where it is not known. */
  pid: number;
  /** The filters that were changed. Default: any. */
  filters?: string[];
}

/** Envoy's words where it has accepted a module's configuration, though the module trapped before or while it got it. */
const startFailure =
  /^Function: (_start|_initialize|main|__main_void|proxy_on_context_create|proxy_on_vm_start|proxy_on_configure) failed/;

/**
 * @param offset bytes of the log that were there before
 * @throws UserError when the log cannot be read
 */
export function readSaid(path: string, offset: number, listening: Listening): Said {
  return sift(linesSince(path, offset), listening);
}

export function sift(lines: Iterable<string>, { pid, filters }: Listening): Said {
  const [complaints, modules] = [new Set<string>(), new Set<string>()];
  let startFailed = false;
  for (const line of lines) {
    const entry = parseEntry(line);
    if (!entry || !severe.has(entry.level) || noise.test(entry.message)) continue;
    const { thread, level, logger, message } = entry;
    if (isOthers(entry)) {
      const text = wordsOf(entry, filters);
      if (text !== undefined) keepLast(modules, `[${level}] ${text}`, 5);
      continue;
    }
    keepLast(complaints, `[${level}][${logger}] ${message}`, mostLines);
    // The main thread starts a module before it accepts its configuration. Workers come to it later, perhaps when the
    // next change is under way, and start those anew that have trapped (`failure: reload`).
    startFailed ||= startFailure.test(message) && isMainThread(thread, pid);
  }
  return { complaints: unfold(complaints), startFailed, modules: unfold(modules) };
}

/** Where it cannot be known, every thread counts. */
function isMainThread(thread: number, pid: number): boolean {
  return thread === pid || process.platform !== "linux" || Number.isNaN(pid);
}

/** What a filter's module said; undefined: it is another's. A VM is named `FILTER@sha256:…`. */
function wordsOf({ message }: Entry, filters: string[] | undefined): string | undefined {
  const end = message.indexOf(": ");
  const from = end < 0 ? "" : message.slice(0, end);
  return filters === undefined || filters.some((name) => from.includes(` ${name}@sha256:`))
    ? message.slice(end + 2)
    : undefined;
}

/** What was said before moves to the end; where there are too many, the oldest goes. */
function keepLast(lines: Set<string>, line: string, most: number): void {
  lines.delete(line);
  lines.add(line);
  const [oldest] = lines;
  if (lines.size > most && oldest !== undefined) lines.delete(oldest);
}

/** A trap's entry goes on with the frames of its stack. */
function unfold(lines: Set<string>): string[] {
  return [...lines].map((line) => line.replaceAll("\\n", "\n    "));
}

/** A line of a log as a person reads it: an entry of Envoy's that has newlines, in lines. Others stay as they are. */
export function readable(line: string): string {
  return parseEntry(line) ? line.replaceAll("\\n", "\n    ") : line;
}
