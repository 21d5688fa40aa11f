/** The arithmetic of a benchmark, pure. */

/** Some measurements, summed up. */
export interface Summary {
  n: number;
  median: number;
  min: number;
  max: number;
}

/** @throws RangeError without a measurement */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]];
  if (low === undefined || high === undefined) throw new RangeError("a median needs a value");
  return (low + high) / 2;
}

export function summarize(values: number[]): Summary {
  return { n: values.length, median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/** A measurement and what the reference took right before it and right after it. */
export interface Pair {
  value: number;
  before: number;
  after: number;
}

/**
 * Each measurement as a multiple of its own neighbours' mean: a machine that is busy for a while slows all three, and
 * the ratio stays.
 */
export function pairedRatios(pairs: Pair[]): number[] {
  return pairs.map(({ value, before, after }) => value / ((before + after) / 2));
}

export type Point = readonly [x: number, y: number];

/** A straight line through points, and how well it fits. */
export interface Line {
  slope: number;
  intercept: number;
  /** Standard error of the slope; NaN with two points, which are always on a line. */
  slopeError: number;
  /** Standard deviation of the points from the line, in y's unit; NaN with two points. */
  residual: number;
}

/**
 * Least squares.
 * @throws RangeError when all points have the same x
 */
export function leastSquares(points: Point[]): Line {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))];
  const sum = (term: (point: Point) => number) => points.reduce((total, point) => total + term(point), 0);
  const spreadX = sum(([x]) => (x - meanX) ** 2);
  if (!(spreadX > 0)) throw new RangeError("a line needs points at two places at least");
  const slope = sum(([x, y]) => (x - meanX) * (y - meanY)) / spreadX;
  const intercept = meanY - slope * meanX;
  const freedom = points.length - 2;
  const squares = sum(([x, y]) => (y - intercept - slope * x) ** 2);
  const residual = freedom > 0 ? Math.sqrt(squares / freedom) : Number.NaN;
  return { slope, intercept, slopeError: residual / Math.sqrt(spreadX), residual };
}

/**
 * Whether growth is straight: at which place the points' median is farthest from the line, and by which part of what
 * the line says there (0.05: five per cent above it).
 */
export function farthestFrom(line: Line, points: Point[]): { x: number; part: number } {
  const places = [...new Set(points.map(([x]) => x))];
  const parts = places.map((x) => {
    const there = median(points.flatMap(([at, y]) => (at === x ? [y] : [])));
    const expected = line.intercept + line.slope * x;
    return { x, part: (there - expected) / expected };
  });
  return parts.reduce((far, one) => (Math.abs(one.part) > Math.abs(far.part) ? one : far));
}
