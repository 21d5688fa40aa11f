/** What the project's filter is to reach, and whether a report shows that it does. Pure. */
import type { Interval } from "../statistics.ts";
import type { Report } from "./costs.ts";
import { type ByBlock, filterCost, intervalOf, means, ratios } from "./costs.ts";

export interface Goal {
  what: string;
  value: Interval;
  /** `at most 1.15` */
  wanted: string;
  /** Open: the interval is on both sides of the bound, or there is none. */
  verdict: "met" | "missed" | "open";
}

/** In a module of at most so many bytes there is everything that the filter does. */
const mostBytes = 10_000;

/** Those of the arms and numbers of streams that were measured. */
export function goalsOf({ arms, samples }: Report): Goal[] {
  const has = (...names: string[]) => names.every((name) => arms.some((arm) => arm.name === name));
  const costOf = (arm: string, streams: number) => filterCost(samples, arm, streams);
  // Ours is measured twice, for the A/A pair: against the others both count.
  const cost = (arm: string, streams: number) =>
    arm === "ours" ? means(costOf("ours", streams), costOf("ours-again", streams)) : costOf(arm, streams);
  const levels = [...new Set(samples.map(({ streams }) => streams))].sort((a, b) => a - b);
  const [fewest, most] = [levels[0] ?? 0, levels.at(-1) ?? 0];
  const goals: (Goal | undefined)[] = [];

  const compare = (arm: string, to: string, judge: Judge, wanted: string, at = levels) => {
    if (!has(arm, to)) return;
    const of = arm === "ours-again" ? costOf : cost;
    for (const streams of at.filter((level) => levels.includes(level))) {
      const ratio = ratios(of(arm, streams), of(to, streams));
      goals.push(goal(`${arm} to ${to}, ${streams} open`, ratio, judge, wanted));
    }
  };
  compare("ours-again", "ours", holds(1), "the same twice: 1 is within");
  compare("ours", "bare", atMost(1.15), "at most 1.15");
  compare("ours", "lua", atMost(1), "below 1");
  compare("ours", "rust", atMost(1), "below 1");
  compare("sdk", "ours", atLeast(6), "at least 6", [1]);
  compare("sdk", "ours", atLeast(8), "at least 8", [64]);
  if (has("ours", "bare") && most > fewest) {
    const growth = (arm: string) => ratios(cost(arm, most), cost(arm, fewest));
    const beyond = ratios(growth("ours"), growth("bare"));
    const what = `growth of ours from ${fewest} to ${most} open, to that of bare`;
    goals.push(goal(what, beyond, noMoreThan(1), "none: the interval reaches 1 or less"));
  }
  const bytes = arms.find(({ name }) => name === "ours")?.module?.bytes;
  if (bytes !== undefined) {
    const value = { n: 1, median: bytes, low: bytes, high: bytes };
    goals.push({
      what: "bytes of our module",
      value,
      wanted: `at most ${mostBytes}`,
      verdict: atMost(mostBytes)(value),
    });
  }
  return goals.filter((one) => one !== undefined);
}

type Judge = (interval: Pick<Interval, "low" | "high">) => Goal["verdict"];

function goal(what: string, figures: ByBlock, judge: Judge, wanted: string): Goal | undefined {
  const value = intervalOf(figures);
  return value && { what, value, wanted, verdict: Number.isNaN(value.low) ? "open" : judge(value) };
}

const atMost =
  (bound: number): Judge =>
  ({ low, high }) =>
    high <= bound ? "met" : low > bound ? "missed" : "open";

const atLeast =
  (bound: number): Judge =>
  ({ low, high }) =>
    low >= bound ? "met" : high < bound ? "missed" : "open";

/** A claim of sameness: an interval that does not hold the value denies it. */
const holds =
  (value: number): Judge =>
  ({ low, high }) =>
    low <= value && value <= high ? "met" : "missed";

const noMoreThan =
  (value: number): Judge =>
  ({ low }) =>
    low <= value ? "met" : "missed";
