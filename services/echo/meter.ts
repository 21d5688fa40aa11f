/**
 * Counts requests, and the time that they are open. The time is the integral of the number in flight, so the requests
 * still open are in it: its difference between two readings, divided by the time between them, is the true mean number
 * in flight. A gauge alone, read once a second, would miss most of what happens in between.
 */
export interface Meter {
  /** A request has come; the function returned is called when it is over (calling it again does nothing). */
  begin(): () => void;
  read(): MeterReading;
}

export interface MeterReading {
  inFlight: number;
  /** Requests begun. */
  requests: number;
  /** Seconds that requests have been open, summed over all of them. */
  requestSeconds: number;
  /** Seconds since the meter started, by the same clock and at the same moment. */
  uptimeSeconds: number;
}

/** @param now a monotonic clock, in milliseconds. */
export function createMeter(now: () => number): Meter {
  const startedAt = now();
  let changedAt = startedAt;
  let inFlight = 0;
  let requests = 0;
  let openMs = 0;
  const advance = () => {
    const time = now();
    openMs += inFlight * (time - changedAt);
    changedAt = time;
  };
  const begin = () => {
    advance();
    inFlight++;
    requests++;
    let open = true;
    return () => {
      if (!open) return;
      open = false;
      advance();
      inFlight--;
    };
  };
  const read = () => {
    advance();
    return { inFlight, requests, requestSeconds: openMs / 1000, uptimeSeconds: (changedAt - startedAt) / 1000 };
  };
  return { begin, read };
}

/**
 * A reading in Prometheus' text format.
 * @param startTimeSeconds Unix time of the start; tells two lives of a process apart.
 */
export function formatMetrics(reading: MeterReading, startTimeSeconds: number): string {
  const metrics: [name: string, type: string, help: string, value: number][] = [
    ["echo_requests_in_flight", "gauge", "Requests being answered now.", reading.inFlight],
    ["echo_requests_total", "counter", "Requests begun.", reading.requests],
    [
      "echo_request_seconds_total",
      "counter",
      "Seconds that requests have been open, those still open included.",
      reading.requestSeconds,
    ],
    [
      "echo_uptime_seconds_total",
      "counter",
      "Seconds since the start, by the clock of echo_request_seconds_total.",
      reading.uptimeSeconds,
    ],
    ["process_start_time_seconds", "gauge", "Unix time of the start.", startTimeSeconds],
  ];
  return metrics
    .map(([name, type, help, value]) => `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${name} ${value}\n`)
    .join("");
}
