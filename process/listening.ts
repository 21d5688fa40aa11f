/** Lists the addresses that processes listen on: on Linux through /proc, on macOS through lsof. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { isOurs } from "./owner.ts";
import { readRecord, recordsIn } from "./record.ts";
import { sessionMembers } from "./table.ts";

export interface Listener {
  /** In the usual notation: `127.0.0.1`, `::`. */
  address: string;
  port: number;
}

/** TCP addresses that the processes listen on. Empty for processes that we may not inspect. */
export function listenersOf(pids: number[]): Listener[] {
  if (pids.length === 0) return [];
  const found = process.platform === "linux" ? fromProc(pids) : fromLsof(pids);
  const unique = new Map(found.map((listener) => [`${listener.address} ${listener.port}`, listener]));
  return [...unique.values()].sort((a, b) => a.port - b.port || a.address.localeCompare(b.address));
}

/** Ports of the processes that have a record in a folder, and of their children. */
export function portsOfRecorded(directory: string): Set<number> {
  const leaders = recordsIn(directory).flatMap((path) => {
    const record = readRecord(path);
    return record && isOurs(record) ? [record.pid] : [];
  });
  return new Set(listenersOf(sessionMembers(...leaders)).map(({ port }) => port));
}

function fromProc(pids: number[]): Listener[] {
  const sockets = new Map(
    ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) => listening(textOf(table))).map((one) => [one.inode, one]),
  );
  return pids.flatMap((pid) =>
    socketsOf(pid).flatMap((inode) => {
      const socket = sockets.get(inode);
      return socket ? [{ address: socket.address, port: socket.port }] : [];
    }),
  );
}

/** A kernel without IPv6 has no tcp6. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function socketsOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    });
  } catch {
    return []; // another user's, or it has just ended
  }
}

/** The listening sockets of /proc/net/tcp or tcp6. */
export function listening(table: string): (Listener & { inode: string })[] {
  return table.split("\n").flatMap((line) => {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address, port] = local.split(":");
    if (state !== "0A" || !address || !port || !inode) return [];
    return [{ address: readable(address), port: Number.parseInt(port, 16), inode }];
  });
}

/** `0100007F` → `127.0.0.1`: words of four bytes, each in reverse order. */
function readable(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => [...Buffer.from(word, "hex")].reverse());
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

function fromLsof(pids: number[]): Listener[] {
  const args = ["-nP", "-a", "-p", pids.join(","), "-iTCP", "-sTCP:LISTEN", "-Fn"];
  return parseLsof(spawnSync("lsof", args, { encoding: "utf8" }).stdout ?? "");
}

/** Parses lines like `n127.0.0.1:3000`, `n*:3000`, `n[::1]:3000`. */
export function parseLsof(text: string): Listener[] {
  return text.split("\n").flatMap((line) => {
    const [, address, port] = /^n(.+):(\d+)$/.exec(line) ?? [];
    return address && port ? [{ address: address.replace(/^\[|\]$/g, ""), port: Number(port) }] : [];
  });
}
