import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Figures, meanInFlight, nextFigures, parseSample, type Sample } from "./figures.ts";

const scaling = fc
  .record({ capacity: fc.double({ min: 0.1, max: 1000, noNaN: true }), minReplicas: fc.integer({ min: 1, max: 20 }) })
  .chain((some) => fc.nat(20).map((more) => ({ ...some, maxReplicas: some.minReplicas + more })));
const load = fc.double({ min: 0, max: 1e5, noNaN: true });
const oneOrTwo = { capacity: 4, minReplicas: 1, maxReplicas: 2 };

describe("figures", () => {
  test("at rest: 1, 1", () => {
    expect(nextFigures(undefined, 0, oneOrTwo)).toEqual({ current: 1, target: 1 });
  });

  test("load comes and goes: the target leads, the current follows one period later", () => {
    const periods: Figures[] = [];
    for (const inFlight of [0, 4, 4.1, 100, 0, 0]) periods.push(nextFigures(periods.at(-1), inFlight, oneOrTwo));
    expect(periods.map(({ current, target }) => [current, target])).toEqual([
      [1, 1],
      [1, 1],
      [1, 2],
      [2, 2],
      [2, 1],
      [1, 1],
    ]);
  });

  test("stay in the limits, and each current is the target before", () => {
    fc.assert(
      fc.property(scaling, fc.array(load, { minLength: 1 }), (limits, loads) => {
        let before: Figures | undefined;
        for (const inFlight of loads) {
          const figures = nextFigures(before, inFlight, limits);
          expect(figures.current).toBe(before?.target ?? limits.minReplicas);
          expect(figures.target).toBeGreaterThanOrEqual(limits.minReplicas);
          expect(figures.target).toBeLessThanOrEqual(limits.maxReplicas);
          expect(Number.isInteger(figures.target)).toBe(true);
          before = figures;
        }
      }),
    );
  });

  test("the target is the smallest number of replicas in the limits that holds the load", () => {
    fc.assert(
      fc.property(scaling, load, (limits, inFlight) => {
        const { target } = nextFigures(undefined, inFlight, limits);
        const slack = limits.capacity * 1e-5;
        if (target < limits.maxReplicas) expect(target * limits.capacity).toBeGreaterThanOrEqual(inFlight - slack);
        if (target > limits.minReplicas) expect((target - 1) * limits.capacity).toBeLessThan(inFlight + slack);
      }),
    );
  });

  test("a load of exactly n capacities needs n replicas, in spite of binary fractions", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 1000 }), (replicas, tenths) => {
        const limits = { capacity: tenths / 10, minReplicas: 1, maxReplicas: 1000 };
        expect(nextFigures(undefined, (replicas * tenths) / 10, limits).target).toBe(replicas);
      }),
    );
  });
});

describe("mean in flight", () => {
  const first: Sample = { startTime: 1, inFlight: 7, requestSeconds: 100, uptimeSeconds: 50 };

  test("is the time of the requests by the time that passed, whatever the gauge says at the moment", () => {
    expect(meanInFlight(first, { ...first, inFlight: 0, requestSeconds: 106, uptimeSeconds: 52 })).toBe(3);
  });

  test.each([
    ["there is none before", undefined, first],
    ["echo was started anew", first, { ...first, startTime: 2, inFlight: 3, requestSeconds: 900, uptimeSeconds: 90 }],
    ["no time has passed", first, { ...first, inFlight: 5 }],
    ["a counter went back", first, { ...first, inFlight: 2, requestSeconds: 10, uptimeSeconds: 60 }],
  ])("is the momentary number when %s", (_when, previous, sample) => {
    expect(meanInFlight(previous, sample)).toBe(sample.inFlight);
  });
});

describe("metrics that cannot be used", () => {
  const good = [
    "process_start_time_seconds 1.5",
    "echo_requests_in_flight 2",
    "echo_request_seconds_total 3e-7",
    "echo_uptime_seconds_total 4 1700000000000",
  ];

  test("the good ones first, with comments, labels and a time stamp between", () => {
    const sample = { startTime: 1.5, inFlight: 2, requestSeconds: 3e-7, uptimeSeconds: 4 };
    expect(parseSample(["# HELP x y", 'http_total{code="200"} 9', "", ...good].join("\n"))).toEqual(sample);
  });

  test.each(good)("without %s", (line) => {
    const name = line.split(" ")[0] as string;
    expect(() => parseSample(good.filter((other) => other !== line).join("\n"))).toThrow(`no valid ${name} in`);
  });

  test.each(["NaN", "+Inf", "-1", "many"])("a value of %s", (value) => {
    const metrics = [...good, `echo_requests_in_flight ${value}`].join("\n");
    expect(() => parseSample(metrics)).toThrow("no valid echo_requests_in_flight");
  });

  test("a page that is no metrics: every name that is missing", () => {
    expect(() => parseSample("<html>hello</html>")).toThrow(
      /process_start_time_seconds, echo_requests_in_flight, echo_request_seconds_total, echo_uptime_seconds_total/,
    );
  });
});
