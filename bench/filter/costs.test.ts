import { describe, expect, it } from "vitest";
import { baseCost, filterCost, intervalOf, none, ratios, type Sample, singleCost } from "./costs.ts";

/** A request costs 20 µs, and `perFilter` more for each filter; the machine is `slower` by so much. */
function block(number: number, arm: string, perFilter: number, slower = 1): Sample[] {
  return [0, 1, 4, 16].map((length) => ({
    block: number,
    streams: 1,
    arm: length === 0 ? none : arm,
    length,
    requests: 100,
    cpuNs: slower * 100 * (20_000 + length * perFilter * 1000),
  }));
}

describe("filterCost", () => {
  it("is what each filter of a chain adds, in microseconds", () => {
    const cost = filterCost(block(1, "lua", 2), "lua", 1);
    expect([...cost.keys()]).toEqual([1]);
    expect(cost.get(1)).toBeCloseTo(2);
  });

  it("knows blocks, arms and numbers of streams apart", () => {
    const samples = [...block(1, "lua", 2), ...block(2, "lua", 4), ...block(2, "bare", 1)];
    const elsewhere = samples.map((sample) => ({ ...sample, streams: 64, cpuNs: 7 * sample.cpuNs }));
    const cost = filterCost([...elsewhere, ...samples], "lua", 1);
    expect([...cost.values()].map((value) => value.toFixed(3))).toEqual(["2.000", "4.000"]);
  });

  it("leaves out a block that was cut short", () => {
    const cut = block(2, "lua", 2).filter(({ length }) => length !== 16);
    expect([...filterCost([...block(1, "lua", 2), ...cut], "lua", 1).keys()]).toEqual([1]);
    const baseless = block(2, "lua", 2).filter(({ arm }) => arm !== none);
    expect([...filterCost([...block(1, "lua", 2), ...baseless], "lua", 1).keys()]).toEqual([1]);
  });

  it("of an arm that was not measured is nothing", () => {
    expect(filterCost([], "lua", 1).size).toBe(0);
    expect(intervalOf(filterCost([], "lua", 1))).toBeUndefined();
  });
});

it("singleCost is what a chain of one adds, its start included", () => {
  const samples = block(1, "lua", 2).map((sample) => ({
    ...sample,
    cpuNs: sample.cpuNs + (sample.length > 0 ? 100 * 5000 : 0),
  }));
  expect(singleCost(samples, "lua", 1).get(1)).toBeCloseTo(7);
  const baseless = samples.filter(({ arm }) => arm !== none);
  expect(singleCost(baseless, "lua", 1).size).toBe(0);
});

it("baseCost is a request's cost without a filter", () => {
  expect(baseCost(block(3, "lua", 2), 1)).toEqual(new Map([[3, 20]]));
});

it("ratios are of the same block: a machine that is slower for a while changes none", () => {
  const samples = [1, 2, 3].flatMap((n) => [...block(n, "ours", 1, n), ...block(n, "bare", 2, n)]);
  const [ours, bare] = [filterCost(samples, "ours", 1), filterCost(samples, "bare", 1)];
  for (const ratio of ratios(ours, bare).values()) expect(ratio).toBeCloseTo(0.5);
  expect([...ratios(ours, new Map([[2, 1]])).keys()]).toEqual([2]);
});
