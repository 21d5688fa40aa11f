/**
 * Load figures from requests in flight, as an autoscaler would have them: the replicas wanted are those that can hold
 * the mean number in flight, and they are there one period later.
 *
 * The mean over the period is used, not its maximum (one short burst would ask for replicas that are idle when they
 * come) nor one sample (which misses what happens between two polls). Both readings of the mean come from echo's own
 * clock, so the way of the poll through the network does not change it: four requests open all the time are 4, never
 * 4.01, which would round up to one replica more.
 */

/** What one poll of echo's metrics tells. */
export interface Sample {
  /** Start of the process as Unix time in seconds. */
  startTime: number;
  inFlight: number;
  requestSeconds: number;
  uptimeSeconds: number;
}

export interface Scaling {
  /** Requests in flight that one replica holds; above 0. */
  capacity: number;
  minReplicas: number;
  maxReplicas: number;
}

/** Replicas. */
export interface Figures {
  current: number;
  target: number;
}

/** @throws Error that names the metrics which are missing or no numbers. */
export function parseSample(metrics: string): Sample {
  const values = new Map<string, number>();
  for (const line of metrics.split("\n")) {
    const [, name, value] = /^([a-zA-Z_:][\w:]*)[ \t]+(\S+)/.exec(line) ?? [];
    if (name !== undefined) values.set(name, Number(value));
  }
  const missing: string[] = [];
  const read = (name: string) => {
    const value = values.get(name);
    if (value !== undefined && Number.isFinite(value) && value >= 0) return value;
    missing.push(name);
    return 0;
  };
  const sample = {
    startTime: read("process_start_time_seconds"),
    inFlight: read("echo_requests_in_flight"),
    requestSeconds: read("echo_request_seconds_total"),
    uptimeSeconds: read("echo_uptime_seconds_total"),
  };
  if (missing.length > 0) throw new Error(`no valid ${missing.join(", ")} in the metrics`);
  return sample;
}

/** Mean number in flight since `previous`; without one of the same process there is only the momentary number. */
export function meanInFlight(previous: Sample | undefined, sample: Sample): number {
  if (!previous || previous.startTime !== sample.startTime) return sample.inFlight;
  const elapsed = sample.uptimeSeconds - previous.uptimeSeconds;
  const open = sample.requestSeconds - previous.requestSeconds;
  return elapsed > 0 && open >= 0 ? open / elapsed : sample.inFlight;
}

/** The figures of a period, from those of the period before; the first one starts from the minimum. */
export function nextFigures(previous: Figures | undefined, inFlight: number, scaling: Scaling): Figures {
  const { capacity, minReplicas, maxReplicas } = scaling;
  const wanted = Math.ceil(inFlight / capacity - roundingError);
  return {
    current: previous?.target ?? minReplicas,
    target: Math.min(Math.max(wanted, minReplicas), maxReplicas),
  };
}

/** 1.1 / 0.1 is a little more than 11, and the counters' differences are a little off as well. */
const roundingError = 1e-6;
