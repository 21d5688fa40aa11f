import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import {
  groupMembers,
  groupOf,
  identify,
  isAlive,
  listeningInodes,
  parsePs,
  parseStat,
  portHolder,
  reachedAt6,
} from "./table.ts";

function sleeper() {
  const child = spawn("sleep", ["60"], { detached: true, stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test("a process is known by pid, start time and boot", async () => {
  const child = sleeper();
  const identity = identify(child.pid as number);
  expect(identity).toMatchObject({ pid: child.pid });
  if (!identity) throw new Error("no identity");
  expect(isAlive(identity)).toBe(true);
  expect(isAlive({ ...identity, startTime: `${identity.startTime}1` })).toBe(false);
  expect(isAlive({ ...identity, bootId: "another boot" })).toBe(false);
  expect(isAlive({ ...identity, pid: process.pid })).toBe(false);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isAlive(identity)).toBe(false);
  expect(identify(child.pid as number)).toBeUndefined();
});

test.each([0, -1])("pid %i is nobody", (pid) => {
  expect(isAlive({ pid, startTime: "1", bootId: "" })).toBe(false);
});

test("a process that ended and waits for its parent counts as dead", async () => {
  // sh becomes sleep and never asks how its child ended.
  const parent = spawn("/bin/sh", ["-c", "sleep 0.1 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  onTestFinished(() => void parent.kill("SIGKILL"));
  const [line] = await once(parent.stdout, "data");
  const pid = Number(String(line).trim());
  expect(identify(pid)).toBeDefined();
  await sleep(400);
  expect(identify(pid)).toBeUndefined();
});

test("a detached process leads a group", () => {
  const child = sleeper();
  const pid = child.pid as number;
  expect(groupOf(pid)).toBe(pid);
  expect(groupMembers(pid)).toEqual([pid]);
  expect(groupOf(process.pid)).not.toBe(pid);
});

test("who holds a port", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  expect(portHolder(port)).toMatchObject({ pid: process.pid });
  server.close();
  await once(server, "close");
  expect(portHolder(port)).toBeUndefined();
});

test("a program's name may hold brackets and blanks", () => {
  const after = Array.from({ length: 30 }, (_, i) => String(i + 4));
  const line = `77 (a) (b c) S ${after.join(" ")}`;
  expect(parseStat(line)).toEqual({ pid: 77, state: "S", group: 5, startTime: "22" });
});

test("macOS: lines of ps", () => {
  expect(parsePs("  501 Ss     501 Tue Nov 18 09:07:01 2025    ")).toEqual({
    pid: 501,
    state: "S",
    group: 501,
    startTime: "Tue Nov 18 09:07:01 2025",
  });
  expect(parsePs("")).toBeUndefined();
});

test("listening sockets of /proc/net/tcp: right port, listening", () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2710 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0        0 111 1 0 100 0 0 10 0
   1: 0100007F:2710 0100007F:9999 01 00000000:00000000 00:00000000 00000000  0        0 222 1 0 100 0 0 10 0
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  0        0 333 1 0 100 0 0 10 0`;
  expect(listeningInodes(table, 10000)).toEqual(["111"]);
  expect(listeningInodes(table, 80)).toEqual(["333"]);
  expect(listeningInodes(table, 8)).toEqual([]);
});

test("of /proc/net/tcp6: those that ::1 leads to", () => {
  const line = (address: string, inode: number) =>
    `   0: ${address}:2710 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  0        0 ${inode} 1 0`;
  const addresses = [...reachedAt6, "000080FE00000000FF57A6705DC771FE"];
  const table = addresses.map(line).join("\n");
  expect(listeningInodes(table, 10000, reachedAt6)).toEqual(["0", "1"]);
  expect(listeningInodes(table, 10000)).toEqual(["0", "1", "2"]);
});
