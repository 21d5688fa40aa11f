/** Whether anybody still reads what this process prints. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const lookEveryMs = 1000;

/**
 * Calls `listener` once, when nobody reads standard output any more. Where a write has found that out it is known at
 * once; but one who prints seldom would go on for long, and so on Linux the pipe's other end is looked for.
 * @returns a function that ends the listening
 */
export function onReaderGone(listener: () => void): () => void {
  const pipe = pipeOf(1);
  let seen = false;
  const look = () => {
    const reader = isRead(pipe as string);
    if (seen && !reader) gone();
    seen ||= reader; // one whom we may not look at, as another user's, is never seen, and never missed
  };
  const ticker = pipe === undefined ? undefined : setInterval(look, lookEveryMs).unref();
  const stop = () => {
    clearInterval(ticker);
    process.stdout.off("error", gone);
  };
  const gone = () => {
    stop();
    listener();
  };
  process.stdout.on("error", gone);
  if (ticker) look();
  return stop;
}

/** Whether standard output was closed when we started (`>&-`): Node puts /dev/null there, and for both directions. */
export function isStdoutClosed(): boolean {
  return linkOf(1) === "/dev/null" && accessOf("self", "1") === 2;
}

/** The pipe that a descriptor of ours is an end of; undefined for anything else, and where there is no /proc. */
function pipeOf(fd: number): string | undefined {
  const link = linkOf(fd);
  return link?.startsWith("pipe:") ? link : undefined;
}

function linkOf(fd: number): string | undefined {
  return attempt(() => readlinkSync(`/proc/self/fd/${fd}`), undefined);
}

/** Whether a process that we may look at has the pipe's other end. */
function isRead(pipe: string): boolean {
  const holds = (pid: string) =>
    attempt(() => readdirSync(`/proc/${pid}/fd`), []).some((fd) =>
      attempt(() => readlinkSync(`/proc/${pid}/fd/${fd}`) === pipe && accessOf(pid, fd) !== 1, false),
    );
  return readdirSync("/proc").some((name) => /^\d+$/.test(name) && holds(name));
}

/** What has ended or been closed meanwhile, or is another user's, cannot be looked at. */
function attempt<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** 0: for reading, 1: for writing, 2: both. https://man7.org/linux/man-pages/man5/proc_pid_fdinfo.5.html */
function accessOf(pid: string, fd: string): number {
  const [, flags = "0"] = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "utf8")) ?? [];
  return Number.parseInt(flags, 8) & 3;
}
