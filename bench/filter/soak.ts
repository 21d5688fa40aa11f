/** Millions of requests through both root contexts of the project's module: what `npm run bench -- --soak` runs. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { duration, type Terminal } from "../../cli/output/terminal.ts";
import { cluster } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { onThisMachine } from "../../components/workloads/backend.ts";
import type { Json, Resource } from "../../envoy/discovery.ts";
import { messageOf, UserError } from "../../lib/errors.ts";
import { httpRequest } from "../../lib/http.ts";
import { NotYet, type OutOfTime, poll } from "../../lib/poll.ts";
import { buildModule } from "../../toolchain/build.ts";
import { resolveModule } from "../../toolchain/source.ts";
import { type HttpFilter, header } from "./arms.ts";
import { benchListener } from "./configuration.ts";
import { BenchEnvoy } from "./envoy.ts";
import { Load } from "./load.ts";
import { Services } from "./services.ts";
import type { Latency, SoakReport } from "./soak-report.ts";

export interface SoakPlan {
  /** Through both filters; a tenth as many more go through none, in turns. */
  requests: number;
  /** After each of so many parts Envoy's memory is read. */
  parts: number;
}

export const soakPlans: Record<"whole" | "quick", SoakPlan> = {
  whole: { requests: 5_000_000, parts: 100 },
  quick: { requests: 250_000, parts: 25 },
};

/** The least that the filter takes. */
const intervalMs = 10;
const connections = 8;
const listenerOf = "soak";
const metrics = "bursting-metrics";
const feedback = { name: "x-load-feedback", begin: "service=default/echo" };

/** In turns through an Envoy with both filters and through one without a module, whose latency is what there is to compare with. */
export async function soak(args: {
  plan: SoakPlan;
  envoyPath: string;
  terminal: Terminal;
  signal: AbortSignal;
}): Promise<SoakReport> {
  const { plan, envoyPath, terminal, signal } = args;
  const filters = await bothFilters();
  const services = await Services.start();
  const envoys: BenchEnvoy[] = [];
  const start = async (listener: Resource) => {
    const envoy = await BenchEnvoy.start(envoyPath, [cluster(onThisMachine(metrics, services.metricsPort))]);
    envoys.push(envoy);
    await envoy.add(listener);
    return envoy;
  };
  try {
    const filtered = await start(benchListener(listenerOf, filters));
    const plain = await start(benchListener(listenerOf, []));
    await firstFigures(filtered.port(listenerOf));
    return await load({ filtered, plain }, plan, terminal, signal);
  } finally {
    for (const envoy of envoys) await envoy.stop();
    services.stop();
  }
}

/** In one chain, each in a VM of its own, as a stack has them. */
async function bothFilters(): Promise<HttpFilter[]> {
  const { path, sha256 } = await buildModule(await resolveModule("filter"));
  const filter = (name: string, configuration: Record<string, string | number>): HttpFilter => {
    const args = { name, rootId: `${name}_root`, digest: sha256, file: path, failure: "close" as const };
    const { typed_config } = wasmFilter({ ...args, configuration: JSON.stringify(configuration) });
    return { name, typed_config: typed_config as Json };
  };
  return [
    filter("add_header", { [header.name]: header.value }),
    filter("load_feedback", { cluster: metrics, path: "/load/default/echo", interval_ms: intervalMs }),
  ];
}

/** The first poll is on its way when the listener is there. */
async function firstFigures(port: number): Promise<void> {
  const look = async () => {
    const { status, headers } = await httpRequest({ url: `http://127.0.0.1:${port}/` });
    if (headers[feedback.name]?.startsWith(feedback.begin)) return;
    return new NotYet(`status ${status}, ${feedback.name}: ${headers[feedback.name] ?? "(none)"}`);
  };
  const late = ({ why }: OutOfTime) => {
    throw new UserError(`The soak has not begun: ${why}.`);
  };
  await poll(look, { timeoutMs: 10_000, everyMs: 20, late });
}

async function load(
  envoys: Record<"filtered" | "plain", BenchEnvoy>,
  plan: SoakPlan,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<SoakReport> {
  const latency = { filtered: createHistogram(), plain: createHistogram() };
  const open = (name: "filtered" | "plain", headers: string[]) => {
    const onLatency = (ns: number) => latency[name].record(Math.max(1, ns));
    return Load.open({ port: envoys[name].port(listenerOf), connections, headers, onLatency });
  };
  const required = [`${header.name}: ${header.value}\r\n`, `${feedback.name}: ${feedback.begin}`];
  const [filtered, plain] = [await open("filtered", required), await open("plain", [])];
  const each = Math.ceil(plan.requests / plan.parts);
  const memory: SoakReport["memory"] = [];
  const polls = () => envoys.filtered.counter(`cluster.${metrics}.upstream_rq_200`);
  const [pollsBefore, started] = [await polls(), performance.now()];
  try {
    for (let part = 1; part <= plan.parts; part++) {
      signal.throwIfAborted();
      await filtered.run(each);
      await plain.run(Math.ceil(each / 10));
      memory.push({ requests: part * each, bytes: envoys.filtered.memory() });
      const progress = `  ${part * each} requests in ${duration(performance.now() - started)}`;
      if (part % Math.ceil(plan.parts / 5) === 0) terminal.note(progress);
      else terminal.status(progress);
    }
    return {
      seconds: (performance.now() - started) / 1000,
      requests: plan.parts * each,
      polls: (await polls()) - pollsBefore,
      intervalMs,
      connections,
      memory,
      latency: { filtered: latencyOf(latency.filtered), plain: latencyOf(latency.plain) },
    };
  } catch (error) {
    if (signal.aborted) throw error;
    throw await envoys.filtered.failure(messageOf(error));
  } finally {
    filtered.close();
    plain.close();
  }
}

function latencyOf(histogram: RecordableHistogram): Latency {
  const us = (percentile: number) => histogram.percentile(percentile) / 1000;
  return { n: histogram.count, medianUs: us(50), p999Us: us(99.9), maxUs: histogram.max / 1000 };
}
