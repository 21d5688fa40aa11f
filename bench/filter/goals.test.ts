import { describe, expect, it } from "vitest";
import type { Report } from "./costs.ts";
import { none, type Sample } from "./costs.ts";
import { type Goal, goalsOf } from "./goals.ts";

/** Each arm's microseconds a filter, in eight blocks that spread by `spread` in opposite directions. */
function report(costs: Record<string, number>, { streams = [1], spread = 0, bytes = 9000 } = {}): Report {
  const samples = streams.flatMap((open) =>
    Array.from({ length: 8 }, (_, i) => i + 1).flatMap((block): Sample[] => {
      const of = (arm: string, length: number, us: number) => ({
        ...{ block, streams: open, arm, length, requests: 1 },
        cpuNs: 1000 * us,
      });
      const arms = Object.entries(costs).map(([name, us], i): [string, number] => {
        const sign = (block + i) % 2 === 0 ? 1 : -1;
        return [name, us * (1 + sign * spread)];
      });
      return [of(none, 0, 20), ...arms.flatMap(([name, us]) => [1, 4, 16].map((n) => of(name, n, 20 + n * us)))];
    }),
  );
  const arms = Object.keys(costs).map((name) => ({
    name,
    what: name,
    ...(name === "ours" && { module: { bytes, memoryBytes: 65_536 } }),
  }));
  return { conditions: [], arms, samples, loads: [] };
}

const verdicts = (of: Report) => Object.fromEntries(goalsOf(of).map(({ what, verdict }) => [what, verdict]));

describe("goalsOf", () => {
  it("are met where every interval is on the right side", () => {
    const costs = { bare: 1, ours: 1.1, "ours-again": 1.1, rust: 2, lua: 2, sdk: 9 };
    expect(verdicts(report(costs, { streams: [1, 64] }))).toEqual({
      "ours-again to ours, 1 open": "met",
      "ours-again to ours, 64 open": "met",
      "ours to bare, 1 open": "met",
      "ours to bare, 64 open": "met",
      "ours to lua, 1 open": "met",
      "ours to lua, 64 open": "met",
      "ours to rust, 1 open": "met",
      "ours to rust, 64 open": "met",
      "sdk to ours, 1 open": "met",
      "sdk to ours, 64 open": "met",
      "growth of ours from 1 to 64 open, to that of bare": "met",
      "bytes of our module": "met",
    });
  });

  it("are missed where it is on the wrong one", () => {
    const costs = { bare: 1, ours: 1.3, "ours-again": 1.5, rust: 1.2, lua: 1.2, sdk: 7 };
    const all = verdicts(report(costs, { bytes: 10_001 }));
    expect(all).toHaveProperty("bytes of our module", "missed");
    expect(new Set(Object.values(all))).toEqual(new Set(["missed"]));
  });

  it("are open where the interval is on both sides", () => {
    expect(verdicts(report({ bare: 1, ours: 1.15 }, { spread: 0.1 }))).toMatchObject({
      "ours to bare, 1 open": "open",
    });
  });

  it("are open with too few blocks for an interval", () => {
    const few = report({ bare: 1, ours: 1 });
    few.samples = few.samples.filter(({ block }) => block < 6);
    expect(verdicts(few)).toMatchObject({ "ours to bare, 1 open": "open" });
  });

  it("an A/A pair that differs is told", () => {
    expect(verdicts(report({ ours: 1, "ours-again": 1.02 }))).toMatchObject({ "ours-again to ours, 1 open": "missed" });
    expect(verdicts(report({ ours: 1, "ours-again": 1.02 }, { spread: 0.05 }))).toMatchObject({
      "ours-again to ours, 1 open": "met",
    });
  });

  it("count both of the A/A pair against the others", () => {
    const costs = { bare: 1, ours: 1.2, "ours-again": 1.0 };
    expect(verdicts(report(costs))).toMatchObject({ "ours to bare, 1 open": "met" });
    const { value } = goalsOf(report(costs)).find(({ what }) => what === "ours to bare, 1 open") as Goal;
    expect(value.median).toBeCloseTo(1.1);
  });

  it("growth with open streams is missed, unless that of the floor is the same", () => {
    const [few, many] = [report({ bare: 1, ours: 1 }), report({ bare: 1.2, ours: 1.8 }, { streams: [512] })];
    const both = { ...few, samples: [...few.samples, ...many.samples] };
    const what = "growth of ours from 1 to 512 open, to that of bare";
    expect(verdicts(both)).toMatchObject({ [what]: "missed" });
    const same = report({ bare: 1.8, ours: 1.8 }, { streams: [512] });
    expect(verdicts({ ...few, samples: [...few.samples, ...same.samples] })).toMatchObject({ [what]: "met" });
  });

  it("speak of nothing that was not measured", () => {
    expect(goalsOf(report({ lua: 1, rust: 1 }))).toEqual([]);
    expect(goalsOf({ conditions: [], arms: [], samples: [], loads: [] })).toEqual([]);
  });
});
