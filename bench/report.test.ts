import { expect, it } from "vitest";
import { type Report, reportDocument, reportLines } from "./report.ts";

const report: Report = {
  conditions: ["2 cores"],
  empty: [1000, 1000, 2000],
  rows: [
    {
      name: "up with nothing to do",
      goalMs: 3000,
      pairs: [3000, 4000, 8000].map((value) => ({ value, before: 1000, after: 1000 })),
    },
    { name: "never measured", goalMs: 5000, pairs: [] },
  ],
  growth: [
    {
      name: "preview grows by",
      goalMs: 10,
      points: [
        { resources: 100, value: 2000, before: 1000, after: 1000 },
        { resources: 200, value: 5000, before: 2000, after: 2000 }, // while the machine was busy
        { resources: 300, value: 3000, before: 1000, after: 1000 },
      ],
    },
    { name: "one size alone", goalMs: 10, points: [{ resources: 100, value: 2000, before: 1000, after: 1000 }] },
  ],
  remarks: ["seen"],
};

it("has figure, spread, number of runs, goal and ratio in a line, and leaves out what was not measured", () => {
  const lines = reportLines(report);
  expect(lines.find((line) => line.startsWith("up with"))).toMatch(
    /^up with nothing to do +4\.00 s +3\.00 s – 8\.00 s +3 +3 s +4 +3 – 8$/,
  );
  expect(lines.find((line) => line.startsWith("an up of"))).toMatch(/1\.00 s +1\.00 s – 2\.00 s +3 +1$/);
  expect(lines.join("\n")).not.toMatch(/never measured|one size alone|NaN|undefined/);
  expect(lines.at(0)).toBe("2 cores");
  expect(lines.at(-1)).toBe("seen");
});

it("gives growth in milliseconds a resource beside its goal, and in empty ups", () => {
  const lines = reportLines(report);
  expect(lines).toContain("preview grows by: 5 ± 14 ms a resource; goal: at most 10 ms, in a straight line");
  expect(lines.find((line) => line.includes("the same in empty ups"))).toBe(
    "  the same in empty ups: 1.5 + 5 ± 0 for 1000 resources; standard deviation 0; farthest median: +0 % at 100 resources",
  );
});

it("says what there is when it was stopped before anything was measured", () => {
  const nothing = { ...report, empty: [], rows: [], growth: [], remarks: [] };
  expect(reportLines(nothing)[0]).toBe("2 cores");
  expect(reportDocument(nothing)).toMatchObject({ empty: undefined, rows: [], growth: [] });
});

it("has every sample in its document", () => {
  const { rows, growth, empty } = reportDocument(report);
  expect(rows).toMatchObject([
    { goalMs: 3000, n: 3, median: 4000, ratio: { median: 4 }, pairs: report.rows[0]?.pairs },
  ]);
  expect(growth).toMatchObject([
    { ms: { slope: 5 }, ratio: { intercept: 1.5 }, goalMsPerResource: 10, points: report.growth[0]?.points },
  ]);
  expect(empty?.samples).toEqual([1000, 1000, 2000]);
});
