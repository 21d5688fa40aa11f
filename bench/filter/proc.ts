/** What Linux tells of a process: https://man7.org/linux/man-pages/man5/proc.5.html */
import { readdirSync, readFileSync } from "node:fs";
import { UserError } from "../../lib/errors.ts";

/** @throws UserError where there is no such thing */
export function requireProc(platform: NodeJS.Platform = process.platform): void {
  if (platform !== "linux")
    throw new UserError(
      `npm run bench reads the CPU time of Envoy's worker thread from /proc, which ${platform === "darwin" ? "macOS" : platform} does not have: run it on Linux.`,
    );
}

/**
 * The first thread of this name.
 * @throws Error when there is none
 */
export function findThread(pid: number, name: string): number {
  for (const tid of readdirSync(`/proc/${pid}/task`))
    if (readFileSync(`/proc/${pid}/task/${tid}/comm`, "utf8").trimEnd() === name) return Number(tid);
  throw new Error(`process ${pid} has no thread ${name}`);
}

/** Nanoseconds that a thread has run on a CPU. Exact while it sleeps, and behind by a tick at most while it runs. */
export function threadCpu(pid: number, tid: number): number {
  const file = `/proc/${pid}/task/${tid}/schedstat`;
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    throw new UserError(`${file} is not there: Envoy has ended, or the kernel was built without CONFIG_SCHED_INFO.`);
  }
  return parseSchedstat(text);
}

/** The first of three numbers: time on the CPU, time waiting for one, how often it got one. */
export function parseSchedstat(text: string): number {
  const match = /^(\d+) \d+ \d+\s*$/.exec(text);
  if (!match) throw new Error(`not a schedstat: ${JSON.stringify(text)}`);
  return Number(match[1]);
}

/** Bytes of memory that a process has to itself; files that it has mapped are not among them. */
export function processMemory(pid: number): number {
  return parseRssAnon(readFileSync(`/proc/${pid}/status`, "utf8"));
}

export function parseRssAnon(status: string): number {
  const match = /^RssAnon:\s+(\d+) kB$/m.exec(status);
  if (!match) throw new Error("no RssAnon in the process's status");
  return Number(match[1]) * 1024;
}
