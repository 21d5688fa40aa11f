/** Measures what a filter costs Envoy's worker: what `npm run bench` runs. */
import { availableParallelism, cpus, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { duration, type Terminal } from "../../cli/output/terminal.ts";
import { UserError } from "../../lib/errors.ts";
import { httpRequest } from "../../lib/http.ts";
import type { EnvoyBinaryOutputs } from "../../provider/envoy-binary.ts";
import { shuffled } from "../statistics.ts";
import { type Arm, header } from "./arms.ts";
import {
  benchListener,
  chainLengths,
  chainListener,
  listenerName,
  slowCluster,
  slowUpstream,
} from "./configuration.ts";
import { type LoadSample, none, type Sample } from "./costs.ts";
import { BenchEnvoy } from "./envoy.ts";
import { holdStreams, SlowUpstream } from "./held.ts";
import { Load } from "./load.ts";

export interface Plan {
  /** How often everything is measured, each time in an Envoy of its own. */
  blocks: number;
  /** Numbers of open streams: the load's one, and others that are held. */
  streams: number[];
  /** Of each measurement. */
  requests: number;
  /** After so long no further block is begun; enough for an interval come first. */
  budgetMs: number;
}

export const plans: Record<"whole" | "quick", Plan> = {
  whole: { blocks: 40, streams: [1, 64, 512], requests: 2000, budgetMs: 18 * 60_000 },
  quick: { blocks: 10, streams: [1, 64, 512], requests: 600, budgetMs: 90_000 },
};

/** Fewer give no interval. */
const fewestBlocks = 6;

/** For what a worker does after a response. */
const settleMs = 5;

/**
 * Envoy answers each request before it reads the next, from whichever connection: one stream of the load is open at a
 * time. With a single connection the worker would sleep after each request, and its waking up would be most of the noise.
 */
const connections = 16;

/** Chains of an arm that are measured with the same streams held. */
interface Group {
  arm: string;
  lengths: readonly number[];
  /** The length of the chain that the held streams go through. */
  heldIn: number;
}

export class FilterBench {
  readonly samples: Sample[] = [];
  readonly loads: LoadSample[] = [];
  readonly #arms: Arm[];
  readonly #plan: Plan;
  readonly #envoyPath: string;
  readonly #terminal: Terminal;
  readonly #signal: AbortSignal;

  /** @param signal ends it, and takes down what it has started */
  constructor(args: { arms: Arm[]; plan: Plan; envoyPath: string; terminal: Terminal; signal: AbortSignal }) {
    this.#arms = args.arms;
    this.#plan = args.plan;
    this.#envoyPath = args.envoyPath;
    this.#terminal = args.terminal;
    this.#signal = args.signal;
  }

  /** Block by block; `samples` and `loads` grow as it goes. */
  async run(): Promise<void> {
    const { blocks, budgetMs } = this.#plan;
    const started = performance.now();
    for (let block = 1; block <= blocks; block++) {
      const begun = performance.now();
      await this.#block(block);
      const now = performance.now();
      const [elapsed, each] = [now - started, (now - started) / block];
      const last = block === blocks || (block >= fewestBlocks && elapsed + each > budgetMs);
      const leftMs = Math.min((blocks - block) * each, Math.max(budgetMs - elapsed, each));
      const left = last ? "" : `; at most ${duration(leftMs)} more`;
      this.#terminal.note(`  block ${block} of ${blocks}: ${duration(now - begun)}${left}`);
      if (last) break;
    }
  }

  /** Everything once, in random order, in a new Envoy: how a process lies in memory is a chance of its own. */
  async #block(block: number): Promise<void> {
    const upstream = await SlowUpstream.listen();
    const envoy = await BenchEnvoy.start(this.#envoyPath, [slowUpstream(upstream.port)]).catch(async (error) => {
      await upstream.stop();
      throw error;
    });
    try {
      await this.#load(envoy, block);
      for (const streams of shuffled(this.#plan.streams))
        for (const group of shuffled(this.#groups())) await this.#measure(envoy, upstream, block, streams, group);
    } finally {
      await envoy.stop();
      await upstream.stop();
    }
  }

  /** What is held in the shortest chain of one VM is open in the longer ones, and has entered the VM once. */
  #groups(): Group[] {
    const [shortest] = chainLengths;
    const groups = this.#arms.flatMap(({ name: arm, oneVm }): Group[] =>
      oneVm
        ? [{ arm, lengths: chainLengths, heldIn: shortest }]
        : chainLengths.map((length) => ({ arm, lengths: [length], heldIn: length })),
    );
    return [{ arm: none, lengths: [0], heldIn: 0 }, ...groups];
  }

  /** Hands the arms to Envoy, one after another, and sees that each does what it is to do. */
  async #load(envoy: BenchEnvoy, block: number): Promise<void> {
    await envoy.add(benchListener(listenerName(none, 0), [], slowCluster));
    await requireHeader(envoy, none, 0);
    const [first, ...longer] = chainLengths;
    for (const arm of shuffled(this.#arms)) {
      this.#signal.throwIfAborted();
      this.#terminal.status(`  block ${block}, loading: ${arm.name}`);
      const [started, before] = [performance.now(), envoy.memory()];
      await envoy.add(chainListener(arm, first));
      await requireHeader(envoy, arm.name, first);
      const loadMs = performance.now() - started;
      await sleep(settleMs);
      this.loads.push({ block, arm: arm.name, loadMs, memoryBytes: envoy.memory() - before });
      await envoy.add(...longer.map((length) => chainListener(arm, length)));
      for (const length of longer) await requireHeader(envoy, arm.name, length);
    }
  }

  /** Each chain of a group, in random order. */
  async #measure(
    envoy: BenchEnvoy,
    upstream: SlowUpstream,
    block: number,
    streams: number,
    group: Group,
  ): Promise<void> {
    const { arm, lengths, heldIn } = group;
    const port = (length: number) => envoy.port(listenerName(arm, length));
    const expected: Record<string, string> = arm === none ? {} : { [header.name]: header.value };
    const release = await holdStreams(upstream, port(heldIn), streams - 1, expected);
    try {
      for (const length of shuffled(lengths)) {
        this.#signal.throwIfAborted();
        this.#terminal.status(`  block ${block}, ${streams} open: ${arm} × ${length}`);
        const cpuNs = await this.#cpuTime(envoy, port(length), expected);
        this.samples.push({ block, streams, arm, length, requests: this.#plan.requests, cpuNs });
      }
    } finally {
      await release();
    }
  }

  /** @returns nanoseconds that the worker has run for the requests */
  async #cpuTime(envoy: BenchEnvoy, port: number, expected: Record<string, string>): Promise<number> {
    const headers = Object.entries(expected).map(([name, value]) => `${name}: ${value}\r\n`);
    const load = await Load.open({ port, connections, headers });
    try {
      await load.run(Math.ceil(this.#plan.requests / 10));
      await sleep(settleMs);
      const before = envoy.workerCpu();
      await load.run(this.#plan.requests);
      await sleep(settleMs);
      return envoy.workerCpu() - before;
    } finally {
      load.close();
    }
  }
}

/** Under which circumstances it begins: one line each. */
export function conditions({ actualVersion }: EnvoyBinaryOutputs, { requests }: Plan): string[] {
  const load = loadavg().map((average) => average.toFixed(1));
  return [
    `Envoy ${actualVersion} with one worker, ${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "?"}), nothing pinned; load before the run: ${load.join(", ")} (1, 5, 15 min); ${new Date().toISOString().slice(0, 10)}`,
    `CPU time of the worker over ${requests} requests from ${connections} connections, answered by Envoy itself: the slope over chains of ${[0, ...chainLengths].join(", ")} filters.`,
    "Open: streams that are open in the same filter, the load's one included.",
  ];
}

/** @throws UserError when a response has not what it must have, or has what it must not */
async function requireHeader(envoy: BenchEnvoy, arm: string, length: number): Promise<void> {
  const url = `http://127.0.0.1:${envoy.port(listenerName(arm, length))}/`;
  const { status, headers } = await httpRequest({ url });
  const [seen, wanted] = [headers[header.name], length > 0 ? header.value : undefined];
  if (status !== 200) throw new UserError(`The arm ${arm} (${length} in a chain) answers ${status}, not 200.`);
  if (seen !== wanted)
    throw new UserError(
      `The arm ${arm} (${length} in a chain) is not measured: its response has ${header.name}: ${seen ?? "(none)"}, not ${wanted ?? "(none)"}.`,
    );
}
