import { expect, it } from "vitest";
import { memorySlope, type SoakReport, soakDocument, soakLines } from "./soak-report.ts";

const mib = 2 ** 20;

/** Memory as `bytes` tells after each of a hundred parts. */
function report(bytes: (part: number) => number): SoakReport {
  return {
    seconds: 200,
    requests: 5_000_000,
    polls: 19_000,
    intervalMs: 10,
    connections: 8,
    memory: Array.from({ length: 100 }, (_, i) => ({ requests: (i + 1) * 50_000, bytes: bytes(i + 1) })),
    latency: {
      filtered: { n: 5_000_000, medianUs: 210.4, p999Us: 900, maxUs: 12_345 },
      plain: { n: 500_000, medianUs: 180, p999Us: 880, maxUs: 11_000 },
    },
  };
}

it("memory that is the same all the time has no slope, and no error", () => {
  expect(memorySlope(report(() => 40 * mib))).toEqual({ bytesPerRequest: 0, standardError: 0 });
});

it("what grows while the allocator warms up is left out", () => {
  const { bytesPerRequest } = memorySlope(report((part) => 40 * mib + Math.min(part, 20) * mib));
  expect(bytesPerRequest).toBe(0);
});

it("a leak of 16 bytes a request is seen", () => {
  const leak = report((part) => 40 * mib + part * 50_000 * 16);
  expect(memorySlope(leak).bytesPerRequest).toBeCloseTo(16);
  expect(soakLines(leak).join("\n")).toMatch(/growth after the first fifth: 15625 ± \S+ KiB a million requests/);
});

it("tells memory, polls and latencies", () => {
  const text = soakLines(report((part) => (part === 50 ? 41.5 : 40) * mib)).join("\n");
  expect(text).toContain("5000000 requests");
  expect(text).toContain("19000 polls");
  expect(text).toContain("40.0 MiB at first, 40.0 MiB at last, 41.5 MiB at most");
  expect(text).toMatch(/both filters +5000000 +210 µs +900 µs +12345 µs/);
  expect(text).toMatch(/without a filter, in turns +500000 +180 µs/);
});

it("has every reading in its document", () => {
  const one = report(() => mib);
  expect(soakDocument(one)).toMatchObject({ memory: one.memory, memorySlope: { bytesPerRequest: 0 } });
});
