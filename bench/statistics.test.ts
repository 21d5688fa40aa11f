import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  farthestFrom,
  leastSquares,
  median,
  medianInterval,
  type Point,
  pairedRatios,
  shuffled,
  summarize,
} from "./statistics.ts";

describe("median", () => {
  it.each([
    [[5], 5],
    [[3, 1, 2], 2],
    [[10, 1, 2, 3], 2.5],
    [[10, 9, 100], 10], // by number, not by text
  ])("of %j is %d", (values, expected) => expect(median(values)).toBe(expected));

  it("leaves the values in their order", () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });

  it("of nothing is an error, not NaN in a table", () => expect(() => median([])).toThrow(RangeError));

  it("has as many values below as above", () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const middle = median(values);
        expect(values.filter((v) => v < middle).length).toBeLessThanOrEqual(values.length / 2);
        expect(values.filter((v) => v > middle).length).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });
});

it("summarize", () => expect(summarize([4, 2, 9])).toEqual({ n: 3, median: 4, min: 2, max: 9 }));

describe("pairedRatios", () => {
  it("compares each with its own neighbours", () => {
    const pairs = [
      { value: 3000, before: 900, after: 1100 },
      { value: 6000, before: 2000, after: 2000 },
    ];
    expect(pairedRatios(pairs)).toEqual([3, 3]);
  });
});

describe("medianInterval", () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

  // The ranks of the tables for the sign test's interval at 95 %.
  it.each([
    [6, 1, 6],
    [8, 1, 8],
    [9, 2, 8],
    [15, 4, 12],
    [20, 6, 15],
    [25, 8, 18],
  ])("of %d values is from rank %d to rank %d", (n, low, high) => {
    expect(medianInterval(upTo(n))).toEqual({ n, median: (n + 1) / 2, low, high });
  });

  it("fewer than six values allow none", () => {
    expect(medianInterval([3, 1, 2, 9, 8])).toEqual({ n: 5, median: 3, low: Number.NaN, high: Number.NaN });
  });

  it("an outlier does not move it", () => {
    expect(medianInterval([...upTo(14), 1e9])).toMatchObject({ low: 4, high: 12 });
  });

  it("without a value is an error", () => expect(() => medianInterval([])).toThrow(RangeError));

  it("holds the true median in 95 of 100 experiments or more", () => {
    let [seed, hits] = [1, 0];
    const random = () => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed / 2_147_483_647;
    };
    for (let i = 0; i < 2000; i++) {
      const { low, high } = medianInterval(Array.from({ length: 15 }, () => random() ** 3)); // a lopsided one
      if (low <= 0.125 && 0.125 <= high) hits++;
    }
    expect(hits / 2000).toBeGreaterThan(0.95);
  });
});

describe("shuffled", () => {
  it("has the same items, and leaves the list as it is", () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (items) => {
        const before = [...items];
        expect(shuffled(items).sort()).toEqual([...items].sort());
        expect(items).toEqual(before);
      }),
    );
  });

  it("gives every order the same chance", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = shuffled(["a", "b", "c"]).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(count).toBeGreaterThan(850); // five standard deviations below 1000
  });
});

describe("leastSquares", () => {
  it("finds a line that is one, without residual", () => {
    fc.assert(
      fc.property(fc.integer({ min: -50, max: 50 }), fc.integer({ min: -1000, max: 1000 }), (slope, intercept) => {
        const line = leastSquares([1, 10, 50, 200].map((x): Point => [x, intercept + slope * x]));
        expect(line.slope).toBeCloseTo(slope, 6);
        expect(line.intercept).toBeCloseTo(intercept, 6);
        expect(line.residual).toBeCloseTo(0, 6);
      }),
    );
  });

  it("agrees with a textbook's example", () => {
    const line = leastSquares([
      [1, 2],
      [2, 4],
      [3, 5],
      [4, 4],
      [5, 5],
    ]);
    expect(line.slope).toBeCloseTo(0.6);
    expect(line.intercept).toBeCloseTo(2.2);
    expect(line.residual).toBeCloseTo(Math.sqrt(2.4 / 3));
    expect(line.slopeError).toBeCloseTo(Math.sqrt(2.4 / 3) / Math.sqrt(10));
  });

  it("two points are on a line: nothing is known of its error", () => {
    const line = leastSquares([
      [0, 1],
      [2, 5],
    ]);
    expect(line).toMatchObject({ slope: 2, intercept: 1, residual: Number.NaN, slopeError: Number.NaN });
  });

  it.each([
    [[]],
    [[[1, 1]]],
    [
      [
        [1, 1],
        [1, 2],
      ],
    ],
  ])("%j make no line", (points) =>
    expect(() => leastSquares(points.map(([x = 0, y = 0]): Point => [x, y]))).toThrow(RangeError),
  );
});

describe("farthestFrom", () => {
  const line = { slope: 10, intercept: 100, slopeError: 0, residual: 0 };

  it("names the place that bends most, by its median", () => {
    const points: Point[] = [
      [10, 200],
      [50, 540],
      [50, 660],
      [50, 5000],
      [200, 2100],
    ];
    expect(farthestFrom(line, points)).toEqual({ x: 50, part: 0.1 });
  });

  it("below the line counts as well", () => {
    const points: Point[] = [
      [10, 210],
      [200, 1050],
    ];
    expect(farthestFrom(line, points)).toEqual({ x: 200, part: -0.5 });
  });
});
