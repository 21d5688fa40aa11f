import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { farthestFrom, leastSquares, median, type Point, pairedRatios, summarize } from "./statistics.ts";

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
