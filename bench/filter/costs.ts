/** From measurements to what a filter costs. Pure. */
import { type Interval, leastSquares, medianInterval, type Point } from "../statistics.ts";

/** The name that requests through no filter go by. */
export const none = "none";

/** One measurement: requests through a chain of an arm's filter. */
export interface Sample {
  /** Measurements of one block are neighbours in time, and of one Envoy. */
  block: number;
  /** Open ones, that of the load included. */
  streams: number;
  arm: string;
  /** Filters in the chain. */
  length: number;
  requests: number;
  /** What the worker has run meanwhile, in nanoseconds. */
  cpuNs: number;
}

/** What loading an arm took. */
export interface LoadSample {
  block: number;
  arm: string;
  /** Milliseconds from the configuration to the first response with the header. */
  loadMs: number;
  /** What Envoy has grown by, with one worker and its main thread: bytes. */
  memoryBytes: number;
}

/** All that was measured. */
export interface Report {
  /** Under which circumstances it began: one line each. */
  conditions: string[];
  arms: { name: string; what: string; module?: { bytes: number; memoryBytes?: number } }[];
  samples: Sample[];
  loads: LoadSample[];
}

/** Figures by block, so that those of one block can be compared. */
export type ByBlock = Map<number, number>;

/** Microseconds of CPU for a request without a filter. */
export function baseCost(samples: Sample[], streams: number): ByBlock {
  const own = samples.filter((sample) => sample.arm === none && sample.streams === streams);
  return new Map(own.map((sample) => [sample.block, perRequest(sample)]));
}

/**
 * Microseconds of CPU for a request and filter: the slope over the chains of a block, its requests without a filter
 * included. A block that was not measured to its end is left out.
 */
export function filterCost(samples: Sample[], arm: string, streams: number): ByBlock {
  const own = samples.filter((sample) => sample.arm === arm && sample.streams === streams);
  const most = Math.max(...[...blocksOf(own)].map(([, chains]) => chains.length));
  const base = baseCost(samples, streams);
  const complete = [...blocksOf(own)].filter(([block, chains]) => chains.length === most && base.has(block));
  return new Map(
    complete.map(([block, chains]) => {
      const points = chains.map((sample): Point => [sample.length, perRequest(sample)]);
      return [block, leastSquares([[0, base.get(block) as number], ...points]).slope];
    }),
  );
}

/** Microseconds of CPU that a single filter adds to a request, what it takes to enter the first VM included. */
export function singleCost(samples: Sample[], arm: string, streams: number): ByBlock {
  const base = baseCost(samples, streams);
  const own = samples.filter((sample) => sample.arm === arm && sample.streams === streams && sample.length === 1);
  const based = own.filter(({ block }) => base.has(block));
  return new Map(based.map((sample) => [sample.block, perRequest(sample) - (base.get(sample.block) as number)]));
}

/** Each block's figure as a multiple of the same block's other one. */
export function ratios(figures: ByBlock, to: ByBlock): ByBlock {
  const both = [...figures].filter(([block]) => to.has(block));
  return new Map(both.map(([block, figure]) => [block, figure / (to.get(block) as number)]));
}

/** Of what was measured twice: in each block the mean of both. */
export function means(one: ByBlock, two: ByBlock): ByBlock {
  return new Map([...one].map(([block, figure]) => [block, (figure + (two.get(block) ?? figure)) / 2]));
}

/** Undefined without a block. */
export function intervalOf(figures: ByBlock): Interval | undefined {
  return figures.size > 0 ? medianInterval([...figures.values()]) : undefined;
}

function blocksOf(samples: Sample[]): Map<number, Sample[]> {
  const blocks = new Map<number, Sample[]>();
  for (const sample of samples) blocks.set(sample.block, [...(blocks.get(sample.block) ?? []), sample]);
  return blocks;
}

const perRequest = ({ cpuNs, requests }: Sample) => cpuNs / requests / 1000;
