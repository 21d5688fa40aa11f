import { expect, it } from "vitest";
import { logScale, type Plot, renderPlot } from "./plot.ts";

const plot: Plot = {
  title: "Costs & more",
  notes: ["2 cores", "<quiet>"],
  emphasized: "ours",
  rows: [
    { name: "lua", what: "Envoy's Lua", cost: [{ streams: 1, cpu: { n: 9, median: 2, low: 1.9, high: 2.2 } }] },
    {
      name: "ours",
      what: "this project's",
      cost: [
        { streams: 1, cpu: { n: 9, median: 0.9, low: 0.8, high: 1 } },
        { streams: 512, cpu: { n: 2, median: 1.1, low: Number.NaN, high: Number.NaN } },
      ],
    },
  ],
};

const count = (svg: string, pattern: RegExp) => svg.match(pattern)?.length;

it("has a dot and its figure for each median, a line for each interval that is known, and a legend", () => {
  const svg = renderPlot(plot);
  expect(count(svg, /<circle/g)).toBe(3 + 2);
  expect(count(svg, /stroke-width="2.5"/g)).toBe(2);
  for (const text of ["lua", "this project's", "2.00", "0.900", "1.10", "512", "2 cores"])
    expect(svg).toContain(`>${text}</text>`);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});

it("is XML, whatever the texts are", () => {
  const svg = renderPlot(plot);
  expect(svg).toContain("Costs &amp; more");
  expect(svg).toContain("&lt;quiet&gt;");
  expect(svg.replace(/<[^<>]+>/g, "")).not.toMatch(/[<>]/);
});

it("puts the emphasized row on a band", () => {
  expect(count(renderPlot(plot), /<rect/g)).toBe(2);
  expect(count(renderPlot({ ...plot, emphasized: "nobody" }), /<rect/g)).toBe(1);
});

it("without figures is empty, not broken", () => {
  expect(renderPlot({ ...plot, rows: [] })).not.toMatch(/NaN|undefined|Infinity/);
  const bare = { name: "bare", what: "", cost: [] };
  expect(renderPlot({ ...plot, rows: [bare] })).not.toMatch(/NaN|undefined|Infinity/);
});

it("its scale is of equal ratios, between ticks that hold all values", () => {
  const { ticks, x } = logScale([0.3, 40]);
  expect(ticks).toEqual([0.2, 0.5, 1, 2, 5, 10, 20, 50].map((tick) => expect.closeTo(tick)));
  expect(x(2) - x(1)).toBeCloseTo(x(20) - x(10));
  expect(x(0.2)).toBeLessThan(x(0.3));
});

it("what is not above 0 stays at the edge", () => {
  const { x } = logScale([-0.1, 0, 1, 2]);
  expect(x(-0.1)).toBe(x(0));
  expect(x(0)).toBeLessThanOrEqual(x(1));
  expect(Number.isFinite(x(-0.1))).toBe(true);
});
