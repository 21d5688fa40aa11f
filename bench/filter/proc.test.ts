import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { findThread, parseRssAnon, parseSchedstat, processMemory, requireProc, threadCpu } from "./proc.ts";

it("schedstat's first number is the time on the CPU", () => {
  expect(parseSchedstat("2173924711 80414 21\n")).toBe(2_173_924_711);
});

it.each(["", "0 0", "abc 1 2\n", "1 2 3 4\n"])("%j is no schedstat", (text) =>
  expect(() => parseSchedstat(text)).toThrow(/not a schedstat/),
);

it("memory is what the process has to itself, not its files", () => {
  const status = "VmRSS:\t   90000 kB\nRssAnon:\t   61204 kB\nRssFile:\t   28796 kB\nRssShmem:\t       0 kB\n";
  expect(parseRssAnon(status)).toBe(61_204 * 1024);
  expect(() => parseRssAnon("VmRSS:\t 90000 kB\n")).toThrow(/RssAnon/);
});

describe("requireProc", () => {
  it("lets Linux pass", () => expect(() => requireProc("linux")).not.toThrow());
  it("tells macOS what is missing", () => {
    expect(() => requireProc("darwin")).toThrow(UserError);
    expect(() => requireProc("darwin")).toThrow(/\/proc, which macOS does not have: run it on Linux/);
  });
});

describe.runIf(process.platform === "linux")("of this very process", () => {
  it("the CPU time of its thread grows by what it runs", () => {
    const before = threadCpu(process.pid, process.pid);
    const { user } = process.cpuUsage();
    while (process.cpuUsage().user - user < 50_000); // 50 ms
    expect(threadCpu(process.pid, process.pid) - before).toBeGreaterThan(20e6);
  });

  it("memory is there", () => expect(processMemory(process.pid)).toBeGreaterThan(2 ** 20));

  it("a thread is found by its name, or not", () => {
    const own = readFileSync("/proc/self/comm", "utf8").trim();
    expect(findThread(process.pid, own)).toBeGreaterThan(0);
    expect(() => findThread(process.pid, "wrk:worker_0")).toThrow(/has no thread wrk:worker_0/);
  });

  it("a thread that has ended is told", () => {
    expect(() => threadCpu(process.pid, 0)).toThrow(/Envoy has ended/);
  });
});
