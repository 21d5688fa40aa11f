/** What the soak has seen, as text and as JSON. Pure. */
import { leastSquares, type Point } from "../statistics.ts";
import { renderTable, significant } from "../table.ts";

/** Microseconds, as the load's side sees it: its own pauses are in it. */
export interface Latency {
  n: number;
  medianUs: number;
  /** 99.9th percentile. */
  p999Us: number;
  maxUs: number;
}

export interface SoakReport {
  seconds: number;
  requests: number;
  /** Answers that the filter has got to its calls. */
  polls: number;
  intervalMs: number;
  connections: number;
  /** Envoy's, after so many requests. */
  memory: { requests: number; bytes: number }[];
  latency: { filtered: Latency; plain: Latency };
}

/** Until then Envoy's allocator fills its caches. */
const warmUp = 0.2;

/** Bytes a request: growth as of memory that is never given back, after the warm-up. */
export function memorySlope({ memory, requests }: SoakReport) {
  const points = memory.filter((at) => at.requests > warmUp * requests).map((at): Point => [at.requests, at.bytes]);
  const { slope, slopeError } = leastSquares(points);
  return { bytesPerRequest: slope, standardError: slopeError };
}

export function soakLines(report: SoakReport): string[] {
  const { seconds, requests, polls, intervalMs, connections, memory, latency } = report;
  const { bytesPerRequest, standardError } = memorySlope(report);
  const [first, last] = [memory[0]?.bytes ?? 0, memory.at(-1)?.bytes ?? 0];
  const most = memory.reduce((highest, { bytes }) => Math.max(highest, bytes), 0);
  const row = (name: string, { n, medianUs, p999Us, maxUs }: Latency) => [
    name,
    String(n),
    ...[medianUs, p999Us, maxUs].map((us) => `${us.toFixed(0)} µs`),
  ];
  return [
    `Soak: ${requests} requests through add_header_root and load_feedback_root in ${seconds.toFixed(0)} s, each with both headers; ${polls} polls answered, one every ${intervalMs} ms at most; ${connections} connections`,
    `  Envoy's memory: ${mib(first)} at first, ${mib(last)} at last, ${mib(most)} at most`,
    `  growth after the first fifth: ${significant((1e6 * bytesPerRequest) / 1024)} ± ${significant((1e6 * standardError) / 1024)} KiB a million requests (least squares over ${memory.length} readings, standard error)`,
    "",
    ...renderTable(
      ["Latency of", "requests", "median", "99.9th percentile", "most"],
      [row("both filters", latency.filtered), row("an Envoy without a filter, in turns", latency.plain)],
    ),
  ];
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/** The same for programs. */
export function soakDocument(report: SoakReport) {
  return { ...report, memorySlope: memorySlope(report) };
}
