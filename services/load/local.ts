import { Agent } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { messageOf } from "../../lib/errors.ts";
import { httpRequest } from "../../lib/http.ts";
import type { Log } from "../log.ts";
import { type Figures, meanInFlight, nextFigures, parseSample, type Sample, type Scaling } from "./figures.ts";
import { type Load, type LoadSource, ServiceUnknown, SourceDown } from "./source.ts";

/** A service whose metrics are polled. */
export interface LocalService extends Scaling {
  /** `namespace/deployment`. */
  service: string;
  /** Its metrics, such as `http://127.0.0.1:8080/metrics`. */
  url: string;
  /** Milliseconds from one poll to the next. */
  periodMs: number;
}

/** What is known of one service. */
interface Watch {
  service: LocalService;
  latest?: { sample: Sample; figures: Figures; observedAt: Date };
  /** Why there are no figures now. */
  down?: string;
}

/** Figures without a cluster: polls the services' own metrics. A failed poll makes them unavailable until one works. */
export function createLocalSource(services: LocalService[], log: Log): LoadSource {
  const watches = new Map<string, Watch>(
    services.map((service) => [service.service, { service, down: "it was not polled yet" }]),
  );
  const stopped = new AbortController();
  // A connection for each poll: one kept open may die unseen between two polls, and fail the next for nothing.
  const agent = new Agent({ keepAlive: false });

  const load = async (service: string): Promise<Load> => {
    const watch = watches.get(service);
    if (!watch) throw new ServiceUnknown(`${service} is not known; there is ${[...watches.keys()].join(", ")}`);
    if (!watch.latest || watch.down !== undefined) throw new SourceDown(`no figures for ${service}: ${watch.down}`);
    const { figures, observedAt } = watch.latest;
    return {
      service,
      currentLoad: figures.current,
      targetLoad: figures.target,
      maxLoad: watch.service.maxReplicas,
      observedAt: observedAt.toISOString(),
    };
  };

  const poll = async (watch: Watch) => {
    const { service, latest } = watch;
    try {
      const sample = parseSample(await fetchMetrics(service, agent));
      const inFlight = meanInFlight(latest?.sample, sample);
      // The figures before are kept over failed polls: replicas do not go away because nobody can count them.
      const figures = nextFigures(latest?.figures, inFlight, service);
      watch.latest = { sample, figures, observedAt: new Date() };
      if (watch.down !== undefined) log("info", `figures for ${service.service} are there`);
      watch.down = undefined;
      log("debug", "polled", { load: service.service, inFlight, ...figures });
    } catch (error) {
      if (stopped.signal.aborted) return;
      const reason = `${service.url}: ${reasonOf(error)}`;
      if (watch.down !== reason) log("warn", `no figures for ${service.service}: ${reason}`);
      watch.down = reason;
    }
  };

  const keepPolling = async (watch: Watch) => {
    for (let next = performance.now(); !stopped.signal.aborted; ) {
      await poll(watch);
      // A poll that took longer than the period delays the ones after it; none is made up for.
      next = Math.max(next + watch.service.periodMs, performance.now());
      await sleep(next - performance.now(), undefined, { signal: stopped.signal }).catch(() => {});
    }
  };

  return {
    services: async () => [...watches.keys()],
    load,
    start: () => {
      for (const watch of watches.values()) void keepPolling(watch);
    },
    stop: () => {
      stopped.abort();
      agent.destroy();
    },
  };
}

async function fetchMetrics({ url, periodMs }: LocalService, agent: Agent): Promise<string> {
  // A busy service answers late: very short periods must not turn that into a failure.
  const response = await httpRequest({ url, agent, timeoutMs: Math.max(periodMs, 1000) });
  if (response.status !== 200) throw new Error(`it answered with status ${response.status}`);
  return response.body;
}

/** Where a name has several addresses, Node's error has a code only, no message. */
function reasonOf(error: unknown): string {
  return messageOf(error) || (error as NodeJS.ErrnoException).code || "unknown error";
}
