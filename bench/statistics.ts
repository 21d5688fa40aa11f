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

/** A median, and what it may be: in 95 of 100 such experiments the true one lies between `low` and `high`. */
export interface Interval {
  n: number;
  median: number;
  /** NaN with fewer than six values, which allow no such statement. */
  low: number;
  high: number;
}

/**
 * The interval is between two of the values themselves, so that it holds for any distribution and an outlier moves it
 * by no more than a rank: as many values lie below the median as coins show heads.
 * @throws RangeError without a value
 */
export function medianInterval(values: number[]): Interval {
  const sorted = [...values].sort((a, b) => a - b);
  const n = sorted.length;
  let left = 0; // values that may be left out at either end
  for (let chance = 0.5 ** n, sum = chance; sum <= 0.025; sum += chance) {
    left++;
    chance *= (n - left + 1) / left;
  }
  const [low = Number.NaN, high = Number.NaN] = left > 0 ? [sorted[left - 1], sorted[n - left]] : [];
  return { n, median: median(sorted), low, high };
}

/** In random order, as a new list. @param random from 0 up to, but not, 1 */
export function shuffled<T>(items: readonly T[], random: () => number = Math.random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
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
