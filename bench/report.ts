/** What a benchmark has measured, as a table and as JSON. Pure. */
import {
  farthestFrom,
  type Line,
  leastSquares,
  type Pair,
  type Point,
  pairedRatios,
  type Summary,
  summarize,
} from "./statistics.ts";
import { renderTable, significant, time } from "./table.ts";

/** Something that was measured several times. */
export interface Row {
  name: string;
  /** Milliseconds. */
  goalMs?: number;
  /** Milliseconds, each with the empty `up`s before and after it. */
  pairs: Pair[];
}

/** Previews of stacks of several sizes. */
export interface Growth {
  name: string;
  /** Milliseconds, each with the empty `up`s before and after it, and the number of resources it was for. */
  points: (Pair & { resources: number })[];
  /** Milliseconds a resource. */
  goalMs: number;
}

export interface Report {
  /** Under which circumstances: one line each. */
  conditions: string[];
  /** Milliseconds of each empty `up`. */
  empty: number[];
  rows: Row[];
  growth: Growth[];
  /** What else was seen: one line each. */
  remarks: string[];
}

export function reportLines({ conditions, empty, rows, growth, remarks }: Report): string[] {
  const measured = rows.filter((row) => row.pairs.length > 0);
  const table = [...measured.map(rowCells), ...(empty.length > 0 ? [emptyCells(empty)] : [])];
  return [
    ...conditions,
    "",
    ...renderTable(["", "median", "min – max", "n", "goal", "× empty up", "min – max"], table),
    "",
    ...growth.filter(isLine).flatMap(growthLines),
    ...(remarks.length > 0 ? ["", ...remarks] : []),
  ];
}

function rowCells({ name, goalMs, pairs }: Row): string[] {
  const ms = summarize(pairs.map(({ value }) => value));
  const ratio = summarize(pairedRatios(pairs));
  const goal = goalMs === undefined ? "" : `${goalMs / 1000} s`;
  return [
    name,
    time(ms.median),
    range(ms, time),
    String(ms.n),
    goal,
    significant(ratio.median),
    range(ratio, significant),
  ];
}

function emptyCells(empty: number[]): string[] {
  const ms = summarize(empty);
  return ["an up of an empty program", time(ms.median), range(ms, time), String(ms.n), "", "1"];
}

const range = ({ min, max }: Summary, text: (value: number) => string) => `${text(min)} – ${text(max)}`;

const isLine = ({ points }: Growth) => new Set(points.map(({ resources }) => resources)).size > 1;

/** In milliseconds, and in empty `up`s: what of a bend is the machine's, and not the stack's, the second has not. */
function linesOf({ points }: Growth) {
  const ratios = pairedRatios(points);
  const inMs = points.map(({ resources, value }): Point => [resources, value]);
  const inRatios = points.map(({ resources }, i): Point => [resources, ratios[i] as number]);
  return [inMs, inRatios].map((all) => {
    const line = leastSquares(all);
    return { ...line, farthest: farthestFrom(line, all) };
  }) as [FittedLine, FittedLine];
}

type FittedLine = Line & { farthest: { x: number; part: number } };

function growthLines(growth: Growth): string[] {
  const { name, points, goalMs } = growth;
  const [ms, ratio] = linesOf(growth);
  return [
    `${name}: ${withError(ms)} ms a resource; goal: at most ${goalMs} ms, in a straight line`,
    `  least squares over ${points.length} previews: ${time(ms.intercept)} + ${significant(ms.slope)} ms a resource; standard deviation from it ${time(ms.residual)}; ${bend(ms)}`,
    `  the same in empty ups: ${significant(ratio.intercept)} + ${withError({ slope: 1000 * ratio.slope, slopeError: 1000 * ratio.slopeError })} for 1000 resources; standard deviation ${significant(ratio.residual)}; ${bend(ratio)}`,
  ];
}

function bend({ farthest: { x, part } }: FittedLine): string {
  return `farthest median: ${part < 0 ? "−" : "+"}${Math.abs(part * 100).toFixed(0)} % at ${x} resources`;
}

const withError = ({ slope, slopeError }: Pick<Line, "slope" | "slopeError">) =>
  `${significant(slope)} ± ${significant(slopeError)}`;

/** The same for programs; times in milliseconds. */
export function reportDocument({ conditions, empty, rows, growth, remarks }: Report) {
  return {
    conditions,
    empty: empty.length > 0 ? { ...summarize(empty), samples: empty } : undefined,
    rows: rows
      .filter((row) => row.pairs.length > 0)
      .map(({ name, goalMs, pairs }) => {
        const ms = summarize(pairs.map(({ value }) => value));
        return { name, goalMs, ...ms, ratio: summarize(pairedRatios(pairs)), pairs };
      }),
    growth: growth.filter(isLine).map((one) => {
      const [ms, ratio] = linesOf(one);
      return { name: one.name, goalMsPerResource: one.goalMs, ms, ratio, points: one.points };
    }),
    remarks,
  };
}
