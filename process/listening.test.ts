import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../test/ports.ts";
import { listenersOf, listening, parseLsof, portsOfRecorded } from "./listening.ts";
import { writeRecord } from "./record.ts";
import { identify, sessionOf } from "./table.ts";

test("a process is found with the address and the port that it listens on", async () => {
  const port = await freePort();
  const server = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  expect(listenersOf([process.pid])).toContainEqual({ address: "127.0.0.1", port });
  expect(listenersOf([])).toEqual([]);
  expect(listenersOf([2 ** 22 + 1])).toEqual([]);
});

test("ports of a folder's recorded processes, and of their children; one that has ended has none", async () => {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "meshup-listening-"));
  const listen = `require("net").createServer().listen(${port}, "127.0.0.1", () => console.log("listening"))`;
  const leader = spawn("sh", ["-c", '"$0" -e "$1"; true', process.execPath, listen], {
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const pid = leader.pid as number;
  onTestFinished(() => {
    process.kill(-pid, "SIGKILL");
    rmSync(folder, { recursive: true });
  });
  await once(leader.stdout, "data");
  const base = { commandHash: "", state: "ready" as const, stopTimeoutMs: 1 };
  const identity = identify(pid);
  if (!identity) throw new Error("it has ended");
  writeRecord(join(folder, "dead.json"), { ...base, ...identity, startTime: "0" });
  expect(portsOfRecorded(folder)).toEqual(new Set());
  writeRecord(join(folder, "alive.json"), { ...base, ...identity });
  expect(portsOfRecorded(folder)).toEqual(new Set([port]));
  expect(portsOfRecorded(join(folder, "nowhere"))).toEqual(new Set());
});

test("the sockets of /proc/net/tcp and tcp6 that listen, in words", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 111 1 0",
    "   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0  0 222 1 0",
    "   2: 0100007F:0BB8 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0  0 333 1 0",
    "   3: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 444 1 0",
    "   4: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 555 1 0",
  ].join("\n");
  expect(listening(table)).toEqual([
    { address: "127.0.0.1", port: 3000, inode: "111" },
    { address: "0.0.0.0", port: 80, inode: "222" },
    { address: "::1", port: 8080, inode: "444" },
    { address: "::", port: 8081, inode: "555" },
  ]);
});

test("lsof's words for the same", () => {
  expect(parseLsof("p12\nf3\nn127.0.0.1:3000\nn*:80\nn[::1]:8080\n")).toEqual([
    { address: "127.0.0.1", port: 3000 },
    { address: "*", port: 80 },
    { address: "::1", port: 8080 },
  ]);
});

test("the session is the fourth field after the name, which may have brackets", () => {
  expect(sessionOf("12 (a) b) S 1 12 7 0 -1")).toBe(7);
});
