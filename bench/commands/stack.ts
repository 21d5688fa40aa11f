import { defaultEngineWorld, findEngine } from "../../cli/engine/engine.ts";
import type { Run } from "../../cli/run.ts";
import { onSignalsOrUnread } from "../../cli/signals.ts";
import { Interrupted } from "../../cli/stack/update.ts";
import { messageOf, UserError } from "../../lib/errors.ts";
import { missingTools } from "../../test/e2e/plugins.ts";
import { reportDocument, reportLines } from "../report.ts";
import { StackBench } from "../stack.ts";

/** `npm run bench:stack [-- --quick]`: how long the stack `dev` takes, in a cluster of its own that goes with it. */
export const run: Run = async ({ options }, terminal) => {
  const missing = await missingTools();
  if (missing.length > 0) throw new UserError(`bench:stack needs ${missing.join(", ")}`);
  const engine = await findEngine(await defaultEngineWorld((line) => terminal.note(line)));
  const stopping = new AbortController();
  const release = onSignalsOrUnread((count) => {
    if (count === 1) terminal.note("Stopping: what is under way is brought to an end, then all is taken down");
    else terminal.note("Still taking down what the benchmark has made");
    stopping.abort(new Interrupted("Stopped before the end; what was made is taken down."));
  });
  try {
    const bench = await StackBench.make(engine, options.quick === true, terminal, stopping.signal);
    try {
      await bench.run();
    } catch (error) {
      terminal.note(messageOf(error)); // before it is taken down, which may fail too
      throw error;
    } finally {
      if (bench.report.rows.some(({ pairs }) => pairs.length > 0))
        for (const line of reportLines(bench.report)) terminal.print(line);
      await bench.remove();
    }
    terminal.document({ ok: true, ...reportDocument(bench.report) });
    return 0;
  } finally {
    release();
  }
};
