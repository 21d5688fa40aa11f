import fc from "fast-check";
import { expect, test } from "vitest";
import { parseSample } from "../load/figures.ts";
import { createMeter, formatMetrics } from "./meter.ts";

test("a request still open counts in the time and in the gauge", () => {
  let now = 5000;
  const meter = createMeter(() => now);
  const end = meter.begin();
  now += 1500;
  expect(meter.read()).toEqual({ inFlight: 1, requests: 1, requestSeconds: 1.5, uptimeSeconds: 1.5 });
  end();
  end(); // a second end is none
  now += 500;
  expect(meter.read()).toEqual({ inFlight: 0, requests: 1, requestSeconds: 1.5, uptimeSeconds: 2 });
});

test("the time is the sum of what each request was open, however they overlap, however often it is read", () => {
  const spans = fc.array(fc.record({ from: fc.nat(1000), length: fc.nat(1000) }), { maxLength: 20 });
  fc.assert(
    fc.property(spans, fc.array(fc.nat(2000)), fc.nat(2000), (requests, readings, at) => {
      let now = 0;
      const meter = createMeter(() => now);
      const ends = requests.map(() => () => {});
      const begin = (i: number) => {
        ends[i] = meter.begin();
      };
      const events = [
        ...requests.map(({ from }, i) => ({ at: from, order: 0, run: () => begin(i) })),
        ...requests.map(({ from, length }, i) => ({ at: from + length, order: 1, run: () => ends[i]?.() })),
        ...readings.map((time) => ({ at: time, order: 2, run: () => void meter.read() })),
      ].filter((event) => event.at <= at);
      for (const event of events.sort((a, b) => a.at - b.at || a.order - b.order)) {
        now = event.at;
        event.run();
      }
      now = at;
      const begun = requests.filter(({ from }) => from <= at);
      const open = begun.filter(({ from, length }) => from + length > at);
      const seconds = begun.reduce((sum, { from, length }) => sum + Math.min(length, at - from) / 1000, 0);
      const reading = meter.read();
      expect(reading).toMatchObject({ inFlight: open.length, requests: begun.length, uptimeSeconds: at / 1000 });
      expect(reading.requestSeconds).toBeCloseTo(seconds, 9);
    }),
  );
});

test("the metrics are Prometheus text, and bursting-metrics reads back what echo wrote", () => {
  const number = fc.double({ min: 0, max: 1e9, noNaN: true });
  fc.assert(
    fc.property(
      fc.nat(),
      fc.nat(),
      number,
      number,
      number,
      (inFlight, requests, requestSeconds, uptimeSeconds, start) => {
        const metrics = formatMetrics({ inFlight, requests, requestSeconds, uptimeSeconds }, start);
        for (const line of metrics.trimEnd().split("\n"))
          expect(line).toMatch(/^(# HELP [a-z_]+ .+|# TYPE [a-z_]+ (counter|gauge)|[a-z_]+ [0-9.e+-]+)$/);
        expect(metrics).toContain(`\necho_requests_total ${requests}\n`);
        expect(parseSample(metrics)).toEqual({ startTime: start, inFlight, requestSeconds, uptimeSeconds });
      },
    ),
  );
});
