import { expect, it } from "vitest";
import type { Report } from "./costs.ts";
import { none, type Sample } from "./costs.ts";
import { reportDocument, reportLines } from "./report.ts";

const blocks = [1, 2, 3, 4, 5, 6];
const sample = (block: number, streams: number, arm: string, length: number, us: number): Sample => ({
  ...{ block, streams, arm, length, requests: 10 },
  cpuNs: 10_000 * us,
});

const report: Report = {
  conditions: ["2 cores"],
  arms: [
    { name: "lua", what: "Envoy's Lua" },
    { name: "ours", what: "this project's", module: { bytes: 9000, memoryBytes: 65_536 } },
  ],
  samples: blocks.flatMap((block) => [
    ...[1, 64].map((streams) => sample(block, streams, none, 0, 20)),
    ...[1, 4, 16].flatMap((n) => [
      sample(block, 1, "lua", n, 20 + 2 * n),
      sample(block, 1, "ours", n, 20 + n * (1 + block / 50)),
      sample(block, 64, "ours", n, 20 + 1.5 * n),
    ]),
  ]),
  loads: blocks.map((block) => ({ block, arm: "ours", loadMs: 30 + block, memoryBytes: 2 ** 20 })),
};

it("has a line for each arm: what it is, its cost with its interval, and its sizes", () => {
  const lines = reportLines(report);
  const all = lines.filter((line) => /^ *ours /.test(line));
  expect(all[0]).toBe("  ours  this project's");
  expect(all[1]).toMatch(/^ours +1\.07 +1\.02 – 1\.12 +1\.50 +1\.50 – 1\.50$/);
  expect(all[2]).toMatch(/^ours +1\.07 +1\.02 – 1\.12 +1\.50/); // a filter alone: the same line here
  expect(all[3]).toMatch(/^ours +9000 B +64\.0 KiB +1024 KiB +1024 KiB – 1024 KiB +34 ms +31 ms – 36 ms$/);
  expect(lines.find((line) => line.startsWith("a request without"))).toMatch(/ 20\.0 +20\.0 – 20\.0 +20\.0 /);
  expect(lines[0]).toBe("2 cores");
  expect(lines[1]).toMatch(/^Medians over 6 blocks/);
});

it("leaves open what was not measured", () => {
  const lines = reportLines(report);
  expect(lines.find((line) => /^lua +2/.test(line))).toMatch(/^lua +2\.00 +2\.00 – 2\.00$/);
  expect(lines.at(-1)).toMatch(/met +bytes of our module: 9000; at most 10000/);
  expect(lines.join("\n")).not.toMatch(/undefined|NaN/);
});

it("says of a run with few blocks that its intervals are not known", () => {
  const few = { ...report, samples: report.samples.filter(({ block }) => block < 3), loads: report.loads.slice(0, 2) };
  expect(reportLines(few).find((line) => /^ours +1/.test(line))).toMatch(/^ours +1\.03 +\? +1\.50 +\?$/);
  expect(reportLines(few).join("\n")).not.toMatch(/undefined|NaN/);
});

it("says what there is when it was stopped in its first block", () => {
  const cut = { ...report, samples: report.samples.slice(0, 3), loads: [] };
  expect(reportLines(cut).join("\n")).not.toMatch(/undefined|NaN|Infinity/);
  expect(reportDocument({ ...report, samples: [], loads: [] })).toMatchObject({ base: [], samples: [] });
});

it("has every sample and every goal in its document", () => {
  const document = reportDocument(report);
  expect(document.samples).toEqual(report.samples);
  expect(document.loads).toEqual(report.loads);
  expect(document.base).toMatchObject([
    { streams: 1, cpu: { median: 20, n: 6 } },
    { streams: 64, cpu: { median: 20 } },
  ]);
  expect(document.arms).toMatchObject([
    { name: "lua", cost: [{ streams: 1 }] },
    { name: "ours", moduleBytes: 9000, linearMemoryBytes: 65_536, loadMs: { median: 33.5, low: 31, high: 36 } },
  ]);
  expect(document.goals.map(({ verdict }) => verdict)).toEqual(["met", "met"]);
});
