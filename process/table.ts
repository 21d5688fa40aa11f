/** Lists processes and identifies them: on Linux through /proc, on macOS through ps and lsof. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Identifies one process uniquely. A pid alone is not enough: the kernel uses it again. */
export interface ProcessIdentity {
  pid: number;
  /** Linux: clock ticks since boot (field 22 of /proc/<pid>/stat). macOS: `ps -o lstart=`, UTC. */
  startTime: string;
  /** Linux: /proc/sys/kernel/random/boot_id. macOS: empty, as its start times are dates. */
  bootId: string;
}

interface Entry {
  pid: number;
  /** One letter; `Z` (ended, waiting for its parent) counts as dead. */
  state: string;
  group: number;
  startTime: string;
}

const linux = process.platform === "linux";

/** The identity of the living process with this pid; undefined when there is none. */
export function identify(pid: number): ProcessIdentity | undefined {
  const entry = read(pid);
  return entry && isLiving(entry) ? { pid, startTime: entry.startTime, bootId: bootId() } : undefined;
}

/** Tells whether this process is still alive: the same pid, start time and boot. */
export function isAlive(identity: ProcessIdentity): boolean {
  const now = identity.pid > 0 ? identify(identity.pid) : undefined;
  return now !== undefined && now.startTime === identity.startTime && now.bootId === identity.bootId;
}

/** The process group of a pid; undefined when there is no such process. */
export function groupOf(pid: number): number | undefined {
  return read(pid)?.group;
}

/** The living members of a process group. */
export function groupMembers(group: number): number[] {
  return list()
    .filter((entry) => entry.group === group && isLiving(entry))
    .map((entry) => entry.pid);
}

/**
 * The living processes of the sessions with these leaders. Children stay in the session, even in a new process group.
 */
export function sessionMembers(...leaders: number[]): number[] {
  if (leaders.length === 0) return [];
  if (!linux) return leaders.flatMap(groupMembers);
  return pids().filter((pid) => {
    try {
      return leaders.includes(sessionOf(readFileSync(`/proc/${pid}/stat`, "utf8")));
    } catch {
      return false; // it has ended
    }
  });
}

/** Tells whether a living process has all these texts in its command line (arguments joined by blanks). */
export function isRunning(...texts: string[]): boolean {
  return commandLines().some((line) => texts.every((text) => line.includes(text)));
}

function commandLines(): string[] {
  if (!linux) return spawnSync("ps", ["-A", "-o", "args="], { encoding: "utf8" }).stdout?.split("\n") ?? [];
  return pids().flatMap((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    } catch {
      return []; // it has ended
    }
  });
}

/**
 * The process that listens on a port of this machine. Undefined if there is none, or if it belongs to another user and
 * cannot be seen.
 * @param host `::1`: only the process that this address leads to. Default: any address.
 */
export function portHolder(port: number, host?: "::1"): { pid: number; name: string } | undefined {
  return linux ? portHolderFromProc(port, host) : portHolderFromLsof(port, host);
}

/** The pid namespace: a container has its own. Empty on macOS. */
export function processSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid");
  } catch {
    return "";
  }
}

function isLiving(entry: Entry): boolean {
  if (entry.state === "X") return false;
  return entry.state !== "Z" || (linux && hasOtherThreads(entry.pid));
}

/** When a process ends, its first thread may end before the others, which hold its ports until they end, too. */
function hasOtherThreads(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/task`).length > 1;
  } catch {
    return false; // it has ended
  }
}

function bootId(): string {
  return linux ? readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() : "";
}

function read(pid: number): Entry | undefined {
  if (!linux) return ps(["-p", String(pid)])[0];
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return undefined; // it has ended
  }
}

function list(): Entry[] {
  if (!linux) return ps(["-A"]);
  return pids().flatMap((pid) => read(pid) ?? []);
}

function pids(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/**
 * Parses a line of /proc/<pid>/stat. The second field is the program's name in brackets; it may contain blanks and
 * brackets.
 */
export function parseStat(line: string): Entry {
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return {
    pid: Number.parseInt(line, 10),
    state: fields[0] ?? "X",
    group: Number(fields[2]),
    startTime: fields[19] ?? "",
  };
}

/** The session, from a line of /proc/<pid>/stat. */
export function sessionOf(line: string): number {
  return Number(line.slice(line.lastIndexOf(")") + 2).split(" ")[3]);
}

function ps(which: string[]): Entry[] {
  const { stdout } = spawnSync("ps", ["-o", "pid=,state=,pgid=,lstart=", ...which], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C", TZ: "UTC" },
  });
  return (stdout ?? "").split("\n").flatMap((line) => parsePs(line) ?? []);
}

/** Parses a line of `ps -o pid=,state=,pgid=,lstart=`; undefined for an empty line. */
export function parsePs(line: string): Entry | undefined {
  const match = line.match(/^\s*(\d+)\s+(\S)\S*\s+(\d+)\s+(.+?)\s*$/);
  if (!match) return undefined;
  const [, pid, state = "X", group, startTime = ""] = match;
  return { pid: Number(pid), state, group: Number(group), startTime };
}

function portHolderFromProc(port: number, host?: "::1"): { pid: number; name: string } | undefined {
  const sockets = new Set<string>();
  for (const table of host ? ["/proc/net/tcp6"] : ["/proc/net/tcp", "/proc/net/tcp6"]) {
    try {
      for (const inode of listeningInodes(readFileSync(table, "utf8"), port, host && reachedAt6))
        sockets.add(`socket:[${inode}]`);
    } catch {
      // a kernel without IPv6 has no tcp6
    }
  }
  if (sockets.size === 0) return undefined;
  for (const pid of pids()) {
    try {
      for (const fd of readdirSync(`/proc/${pid}/fd`)) {
        if (sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`))) {
          return { pid, name: readFileSync(`/proc/${pid}/comm`, "utf8").trim() };
        }
      }
    } catch {
      // another user's process, or it has just ended
    }
  }
  return undefined;
}

/** `::1` and `::`, in the format of /proc/net/tcp6. */
export const reachedAt6 = ["00000000000000000000000001000000", "00000000000000000000000000000000"];

/** Inodes of the sockets that listen on a port, from the text of /proc/net/tcp. Default: any address. */
export function listeningInodes(table: string, port: number, addresses?: string[]): string[] {
  const hexPort = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").flatMap((line) => {
    const fields = line.trim().split(/\s+/);
    const [address = "", at] = fields[1]?.split(":") ?? [];
    const listens = fields[3] === "0A" && at === hexPort && (addresses?.includes(address) ?? true);
    return listens && fields[9] ? [fields[9]] : [];
  });
}

function portHolderFromLsof(port: number, host?: "::1"): { pid: number; name: string } | undefined {
  const family = host ? "6" : "";
  const { stdout } = spawnSync("lsof", ["-nP", `-i${family}TCP:${port}`, "-sTCP:LISTEN", "-Fpc"], { encoding: "utf8" });
  const field = (letter: string) => stdout?.match(new RegExp(`^${letter}(.+)$`, "m"))?.[1];
  const [pid, name] = [field("p"), field("c")];
  return pid && name ? { pid: Number(pid), name } : undefined;
}
