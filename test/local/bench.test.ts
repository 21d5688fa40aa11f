import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Arm, header, loadArms } from "../../bench/filter/arms.ts";
import { FilterBench, type Plan } from "../../bench/filter/bench.ts";
import { soak } from "../../bench/filter/soak.ts";
import { createTerminal } from "../../cli/output/terminal.ts";

const sink = { write: () => {} };
const common = () => ({
  envoyPath: process.env.ENVOY_PATH as string,
  terminal: createTerminal({ json: true, stdout: sink, stderr: sink }),
  signal: new AbortController().signal,
});
const plan: Plan = { blocks: 1, streams: [1, 5], requests: 20, budgetMs: 0 };

/** Whatever a run leaves lies here. */
let scratch: string;
const before = process.env.TMPDIR;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "bench-test-"));
  process.env.TMPDIR = scratch;
});
afterEach(async () => {
  if (before === undefined) delete process.env.TMPDIR;
  else process.env.TMPDIR = before;
  await rm(scratch, { recursive: true });
});

/** Envoy's own filter, with whatever header it is told. */
async function headerMutation(name: string, value: string): Promise<Arm> {
  const [arm] = (await loadArms(["header_mutation"])) as [Arm];
  const text = (place: number) =>
    JSON.stringify(arm.filter(place))
      .replace(`"${header.name}"`, `"${name}"`)
      .replace(`"${header.value}"`, `"${value}"`);
  return { ...arm, filter: (place) => JSON.parse(text(place)) };
}

describe.runIf(process.platform === "linux")("the benchmark of filters", () => {
  it("measures every chain of every arm at each number of open streams, and leaves nothing behind", async () => {
    const arms = await loadArms(["header_mutation", "bare", "ours"]);
    const bench = new FilterBench({ arms, plan, ...common() });
    await bench.run();
    const measured = bench.samples.map(({ arm, length, streams }) => `${arm} × ${length}, ${streams}`).sort();
    const names = ["header_mutation", "bare", "ours"].flatMap((name) => [1, 4, 16].map((n) => `${name} × ${n}`));
    expect(measured).toEqual([1, 5].flatMap((n) => [...names, "none × 0"].map((name) => `${name}, ${n}`)).sort());
    for (const { cpuNs, requests } of bench.samples) {
      expect(requests).toBe(20);
      expect(cpuNs).toBeGreaterThan(0);
    }
    expect(bench.loads.map(({ arm }) => arm).sort()).toEqual(["bare", "header_mutation", "ours"]);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it.each([
    [
      "whose header has another name",
      "x-another",
      header.value,
      /arm header_mutation .* has x-bench: \(none\), not yes/,
    ],
    ["whose header has another value", header.name, "no", /arm header_mutation .* has x-bench: no, not yes/],
  ])("refuses an arm %s", async (_what, name, value, message) => {
    const bench = new FilterBench({ arms: [await headerMutation(name, value)], plan, ...common() });
    await expect(bench.run()).rejects.toThrow(message);
    expect(bench.samples).toEqual([]);
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("refuses an arm of which only some of a chain can be loaded, in Envoy's words", async () => {
    const [ours] = (await loadArms(["ours"])) as [Arm];
    const broken: Arm = {
      ...ours,
      filter: (place) =>
        JSON.parse(JSON.stringify(ours.filter(place)).replaceAll(place > 3 ? "add_header_root" : "?", "no")),
    };
    const bench = new FilterBench({ arms: [broken], plan, ...common() });
    await expect(bench.run()).rejects.toThrow(/Envoy refuses its listeners[\s\S]*unknown root id \\?"no\\?"/);
  });

  it("ends at once when it is stopped, with what it has measured so far", async () => {
    const stopping = new AbortController();
    const bench = new FilterBench({ arms: [], plan: { ...plan, blocks: 1000 }, ...common(), signal: stopping.signal });
    const running = bench.run();
    await expect.poll(() => bench.samples.length, { timeout: 20_000 }).toBeGreaterThan(2);
    stopping.abort(new Error("stopped by hand"));
    await expect(running).rejects.toThrow("stopped by hand");
    expect(readdirSync(scratch)).toEqual([]);
  });

  it("soaks both root contexts while one polls", async () => {
    const report = await soak({ plan: { requests: 2000, parts: 10 }, ...common() });
    expect(report).toMatchObject({ requests: 2000, latency: { filtered: { n: 2000 }, plain: { n: 200 } } });
    expect(report.memory).toHaveLength(10);
    expect(report.polls).toBeGreaterThan(0);
    expect(readdirSync(scratch)).toEqual([]);
  });
});
