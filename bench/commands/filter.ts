import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import type { Terminal } from "../../cli/output/terminal.ts";
import type { Run } from "../../cli/run.ts";
import { onSignalsOrUnread } from "../../cli/signals.ts";
import { Interrupted } from "../../cli/stack/update.ts";
import { UserError } from "../../lib/errors.ts";
import { root, stateDir } from "../../lib/paths.ts";
import type { EnvoyBinaryOutputs } from "../../provider/envoy-binary.ts";
import { findEnvoy } from "../../provider/envoy-binary.ts";
import { loadArms } from "../filter/arms.ts";
import { conditions, FilterBench, plans } from "../filter/bench.ts";
import type { Report } from "../filter/costs.ts";
import { plotOf } from "../filter/plot.ts";
import { requireProc } from "../filter/proc.ts";
import { reportDocument, reportLines } from "../filter/report.ts";
import { soak, soakPlans } from "../filter/soak.ts";
import { soakDocument, soakLines } from "../filter/soak-report.ts";

type Size = "whole" | "quick";

/**
 * `npm run bench [-- --quick] [--only ARM,…] [--soak]`: what a filter costs Envoy, ours beside others, and then the soak;
 * with `--soak` the soak alone. `--quick` and `--only` leave the soak out, and the README's plot as it is.
 */
export const run: Run = async ({ options: { quick, only, soak: soakAlone } }, terminal) => {
  requireProc();
  if (soakAlone && only) throw new UserError("--soak runs this project's filter alone: leave --only out.");
  const size: Size = quick ? "quick" : "whole";
  const envoy = await findEnvoy("1.40.0", { env: process.env, platform: process.platform, arch: process.arch });
  for (const warning of envoy.warnings) terminal.note(warning);
  const stopping = new AbortController();
  const release = onSignalsOrUnread((count) => {
    if (count === 1) terminal.note("Stopping: the measurement under way is brought to an end");
    stopping.abort(new Interrupted("Stopped before the end."));
  });
  const { signal } = stopping;
  try {
    const names = typeof only === "string" ? only.split(",").map((name) => name.trim()) : undefined;
    const compared = soakAlone ? {} : await compare(names, size, envoy, terminal, signal);
    const soaked = soakAlone || !(quick || only) ? await runSoak(size, envoy, terminal, signal) : {};
    terminal.document({ ok: true, ...compared, ...soaked });
    return "error" in soaked ? 1 : 0;
  } finally {
    release();
  }
};

async function compare(
  names: string[] | undefined,
  size: Size,
  envoy: EnvoyBinaryOutputs,
  terminal: Terminal,
  signal: AbortSignal,
) {
  terminal.note("Building the modules");
  const arms = await loadArms(names);
  const plan = plans[size];
  const bench = new FilterBench({ arms, plan, envoyPath: envoy.path, terminal, signal });
  const report: Report = { conditions: conditions(envoy, plan), arms, samples: bench.samples, loads: bench.loads };
  terminal.note(`Measuring ${arms.map(({ name }) => name).join(", ")}`);
  try {
    await bench.run();
  } finally {
    // Also of a run that was stopped: as far as it got.
    if (report.samples.length > 0) for (const line of reportLines(report)) terminal.print(line);
  }
  const plot = size === "whole" && !names ? join(root, "docs", "bench.svg") : join(stateDir, "bench.svg");
  await mkdir(dirname(plot), { recursive: true });
  await writeFile(plot, plotOf(report));
  terminal.print(`\nThe plot: ${relative(root, plot)}`);
  return { ...reportDocument(report), plot };
}

/** Its failure is part of the document: what was measured before is not lost. */
async function runSoak(size: Size, envoy: EnvoyBinaryOutputs, terminal: Terminal, signal: AbortSignal) {
  const plan = soakPlans[size];
  terminal.note(`Soak: ${plan.requests} requests`);
  try {
    const report = await soak({ plan, envoyPath: envoy.path, terminal, signal });
    for (const line of ["", ...soakLines(report)]) terminal.print(line);
    return { soak: soakDocument(report) };
  } catch (error) {
    if (signal.aborted || !(error instanceof UserError)) throw error;
    terminal.note(terminal.paint.bad(`The soak has failed: ${error.message}`));
    return { ok: false, error: `The soak has failed: ${error.message}` };
  }
}
