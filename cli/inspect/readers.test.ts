import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { maxLogBytes } from "../../process/log.ts";
import { writeRecord } from "../../process/record.ts";
import { countLine, countTests } from "../output/test-count.ts";
import { FileLogs, LogFollower, lastLines } from "./log-files.ts";
import { processesIn } from "./processes.ts";

let folder: string;
let log: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "readers-"));
  log = join(folder, "x.log");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("the last lines of a log", () => {
  it.each([
    ["a\nb\nc\n", 2, ["b", "c"]],
    ["a\nb", 5, ["a", "b"]],
    ["a\n\n", 2, ["a", ""]],
    ["", 3, []],
    ["a\n", 0, []],
  ])("%j, %d", (text, count, lines) => {
    writeFileSync(log, text);
    expect(lastLines(log, count)).toEqual(lines);
  });

  it("of a long one", () => {
    const all = Array.from({ length: 20_000 }, (_, i) => `line ${i} é`);
    writeFileSync(log, `${all.join("\n")}\n`);
    expect(lastLines(log, 10_000)).toEqual(all.slice(-10_000));
  });
});

const threeGib = 3 * 1024 ** 3;

describe("a log of more than 2 GiB", () => {
  beforeEach(() => {
    writeFileSync(log, "first\n");
    truncateSync(log, threeGib);
    appendFileSync(log, "\none\ntwo\n");
  });

  it("is read from its end", () => {
    expect(lastLines(log, 2)).toEqual(["one", "two"]);
  });

  it("is read no further than so much, in lines no longer than so much", () => {
    const lines = lastLines(log, 1000);
    expect(lines.slice(-2)).toEqual(["one", "two"]);
    expect(lines.join("").length).toBeLessThan(1024 * 1024);
  });

  it("is followed", () => {
    const follower = new LogFollower(log);
    appendFileSync(log, "three\n");
    expect(follower.newLines()).toEqual(["three"]);
  });
});

describe("a log that was put aside", () => {
  it("goes before the one in its place, where that has too few lines", () => {
    writeFileSync(`${log}.1`, "a\nb\nc\n");
    writeFileSync(log, "d\n");
    expect(lastLines(log, 3)).toEqual(["b", "c", "d"]);
    expect(lastLines(log, 1)).toEqual(["d"]);
  });
});

describe("a stack's logs", () => {
  const last = async () => (await new FileLogs({ x: log }).last("x", 5))[0];

  it("that cannot be read are told", async () => {
    expect(await last()).toMatchObject({
      lines: [],
      problem: expect.stringContaining("cannot be read: ENOENT"),
      unreadable: true,
    });
    mkdirSync(log);
    expect(await last()).toMatchObject({ problem: expect.stringContaining("it is no file"), unreadable: true });
    const following = new FileLogs({ x: log }).follow(["x"], 5, () => {}, new AbortController().signal);
    await expect(following).rejects.toThrow(/cannot be read: it is no file/);
  });

  it("that are full are told", async () => {
    writeFileSync(log, "");
    truncateSync(log, maxLogBytes);
    expect(await last()).toMatchObject({ problem: expect.stringMatching(/full.*npm start/) });
  });

  it("are told apart from empty ones", async () => {
    writeFileSync(log, "");
    expect(await last()).toEqual({ from: log, lines: [] });
  });
});

describe("following a log", () => {
  it("goes on where it was cut in place", () => {
    writeFileSync(log, "old\nold\n");
    const follower = new LogFollower(log);
    truncateSync(log, 0);
    appendFileSync(log, "new\n");
    expect(follower.newLines()).toEqual(["new"]);
  });

  it("gives whole lines, once each", () => {
    writeFileSync(log, "old\n");
    const follower = new LogFollower(log);
    expect(follower.newLines()).toEqual([]);
    appendFileSync(log, "one\ntw");
    expect(follower.newLines()).toEqual(["one"]);
    appendFileSync(log, "o\n\n");
    expect(follower.newLines()).toEqual(["two", ""]);
  });

  it("goes on with the new file when the old one was put aside", () => {
    writeFileSync(log, "old\n");
    const follower = new LogFollower(log);
    renameSync(log, `${log}.1`);
    expect(follower.newLines()).toEqual([]);
    writeFileSync(log, "new\n");
    expect(follower.newLines()).toEqual(["new"]);
  });

  it("waits for a file that is not there yet", () => {
    const follower = new LogFollower(log);
    expect(follower.newLines()).toEqual([]);
    writeFileSync(log, "first\n");
    expect(follower.newLines()).toEqual(["first"]);
  });
});

describe("the processes", () => {
  const world = (alive: boolean) => ({ isOurs: () => alive, processStart: () => new Date(1000) });

  beforeEach(() => {
    const identity = { pid: 7, startTime: "1", bootId: "b" };
    const record = { ...identity, commandHash: "c", state: "ready" as const, stopTimeoutMs: 1, ports: [8300] };
    writeRecord(join(folder, "echo.json"), record);
    writeFileSync(join(folder, "kubeconfig.json"), "{}"); // no record
  });

  it("that live have an uptime", () => {
    expect(processesIn(folder, 3500, world(true))).toEqual([
      { name: "echo", pid: 7, alive: true, ports: [8300], uptimeMs: 2500, log: join(folder, "echo.log") },
    ]);
  });

  it("that are dead have none", () => {
    expect(processesIn(folder, 3500, world(false))).toMatchObject([{ alive: false, uptimeMs: undefined }]);
  });

  it("of no stack are none", () => {
    expect(processesIn(join(folder, "nobody"), 0)).toEqual([]);
  });
});

describe("the count of tests", () => {
  const file = (status: string, ...tests: string[]) => ({
    status,
    assertionResults: tests.map((status) => ({ status })),
  });

  it.each([
    [[file("passed", "passed", "passed"), file("failed", "failed", "passed")], "3 passed, 1 failed"],
    [[file("passed", "passed", "pending", "skipped", "todo")], "1 passed, 0 failed, 3 skipped"],
    [[file("failed")], "0 passed, 1 failed"], // it could not be loaded
    [[file("failed", "passed")], "1 passed, 1 failed"], // a hook threw
    [[], "0 passed, 0 failed"],
  ])("%j", (testResults, line) => {
    expect(countLine(countTests({ testResults }))).toBe(line);
  });

  it("of a run without a report is none", () => {
    expect(countTests(undefined)).toEqual({ passed: 0, failed: 0, skipped: 0 });
  });
});
