/** What the comparison of filters has measured, as tables and as JSON. Pure. */
import type { Interval } from "../statistics.ts";
import { renderTable, threeDigits, time } from "../table.ts";
import {
  type ByBlock,
  baseCost,
  filterCost,
  intervalOf,
  type LoadSample,
  type Report,
  type Sample,
  singleCost,
} from "./costs.ts";
import { type Goal, goalsOf } from "./goals.ts";

/** An arm's figures. */
export interface Row {
  name: string;
  what: string;
  /** Microseconds of CPU a request and filter, by the number of open streams. */
  cost: { streams: number; cpu: Interval }[];
  /** The same for a filter that is alone. */
  single: { streams: number; cpu: Interval }[];
  moduleBytes?: number;
  linearMemoryBytes?: number;
  loadMs?: Interval;
  memoryBytes?: Interval;
}

export function streamsOf(samples: Sample[]): number[] {
  return [...new Set(samples.map(({ streams }) => streams))].sort((a, b) => a - b);
}

/** Those that it began under, and how far it got. */
export function conditionsOf({ conditions, samples }: Report): string[] {
  const blocks = new Set(samples.map(({ block }) => block)).size;
  return [
    ...conditions,
    `Medians over ${blocks} blocks, each in random order and in an Envoy of its own, with 95 % intervals by rank.`,
  ];
}

export function rowsOf({ arms, samples, loads }: Report): Row[] {
  const byStreams = (of: (streams: number) => ByBlock) =>
    streamsOf(samples).flatMap((streams) => {
      const cpu = intervalOf(of(streams));
      return cpu ? [{ streams, cpu }] : [];
    });
  return arms.map(({ name, what, module }) => {
    const own = loads.filter(({ arm }) => arm === name);
    const byBlock = (of: (load: LoadSample) => number) =>
      intervalOf(new Map(own.map((load) => [load.block, of(load)] as const)));
    return {
      name,
      what,
      cost: byStreams((streams) => filterCost(samples, name, streams)),
      single: byStreams((streams) => singleCost(samples, name, streams)),
      moduleBytes: module?.bytes,
      linearMemoryBytes: module?.memoryBytes,
      loadMs: byBlock(({ loadMs }) => loadMs),
      memoryBytes: byBlock(({ memoryBytes }) => memoryBytes),
    };
  });
}

export function reportLines(report: Report): string[] {
  const rows = rowsOf(report);
  const goals = goalsOf(report);
  const width = Math.max(0, ...rows.map(({ name }) => name.length));
  return [
    ...conditionsOf(report),
    "",
    ...rows.map(({ name, what }) => `  ${name.padEnd(width)}  ${what}`),
    "",
    ...costTable("µs of CPU: a filter more in a chain", report, rows, "cost"),
    "",
    ...costTable("µs of CPU: a filter alone", report, rows, "single"),
    "",
    ...sizeTable(rows),
    ...(goals.length > 0 ? ["", ...goalLines(goals)] : []),
  ];
}

function costTable(title: string, { samples }: Report, rows: Row[], of: "cost" | "single"): string[] {
  const levels = streamsOf(samples);
  const base = levels.map((streams) => cells(intervalOf(baseCost(samples, streams))));
  return renderTable(
    [title, ...levels.flatMap((streams) => [`${streams} open`, "95 %"])],
    [
      ...rows.map((row) => [
        row.name,
        ...levels.flatMap((level) => cells(row[of].find(({ streams }) => streams === level)?.cpu)),
      ]),
      ["a request without a filter", ...base.flat()],
    ],
  );
}

function sizeTable(rows: Row[]): string[] {
  return renderTable(
    ["", "module", "linear memory", "Envoy grows by", "95 %", "time to load", "95 %"],
    rows.map(({ name, moduleBytes, linearMemoryBytes, memoryBytes, loadMs }) => [
      name,
      moduleBytes === undefined ? "" : `${moduleBytes} B`,
      linearMemoryBytes === undefined ? "" : kib(linearMemoryBytes),
      ...cells(memoryBytes, kib),
      ...cells(loadMs, time),
    ]),
  );
}

/** Median and interval. */
function cells(interval: Interval | undefined, text = threeDigits): [string, string] {
  if (!interval) return ["", ""];
  const { median, low, high } = interval;
  return [text(median), Number.isNaN(low) ? "?" : `${text(low)} – ${text(high)}`];
}

function goalLines(goals: Goal[]): string[] {
  return [
    "Goals, compared within each block (open: the interval is on both sides; by chance one interval in twenty is wrong)",
    ...goals.map(({ what, value, wanted, verdict }) => {
      const [median, interval] = cells(value);
      return `  ${verdict.padEnd(6)}  ${what}: ${median}${value.n > 1 ? ` (${interval})` : ""}; ${wanted}`;
    }),
  ];
}

const kib = (bytes: number) => `${threeDigits(bytes / 1024)} KiB`;

/** The same for programs, with every sample. */
export function reportDocument(report: Report) {
  const { samples, loads } = report;
  return {
    conditions: conditionsOf(report),
    base: streamsOf(samples).map((streams) => ({ streams, cpu: intervalOf(baseCost(samples, streams)) })),
    arms: rowsOf(report),
    goals: goalsOf(report),
    samples,
    loads,
  };
}
