import { viewOf } from "../inspect/cluster.ts";
import { comingUp, proveWhenUp } from "../inspect/coming-up.ts";
import { filterOutputs, printProofs, proveAll } from "../inspect/proof.ts";
import { summaryOf } from "../output/progress.ts";
import { duration } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { mend } from "../stack/mend.ts";
import { readDeployment, withStack } from "../stack/stack.ts";
import { up } from "../stack/update.ts";

/** `npm start [-- STACK]`: brings the stack up, then shows on live traffic that its filters work. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const result = await withStack(name, "start", terminal, async (stack) => {
    const { backend, engine } = stack;
    terminal.note(`Bringing up stack ${name} with Pulumi ${engine.version}`);
    if (backend.kind === "person") {
      terminal.note(`Its state: ${backend.url ?? "Pulumi's own choice"}, because ${backend.reason}`);
      if (backend.ownPassphrase)
        terminal.note(
          "Its passphrase: .meshup/passphrase-elsewhere, as you have set none (PULUMI_CONFIG_PASSPHRASE); keep that file",
        );
    }
    const { found, ...mending } = await mend(stack, terminal);
    return { ...(await up(stack, terminal, mending)), found };
  });
  terminal.print(`${summaryOf(result.changes)} (${duration(result.durationMs)})\n`);
  const { known, shown } = result.outputs;
  const filters = filterOutputs(known, shown);
  const proofs = await proveWhenUp(
    () => proveAll(filters),
    async () => comingUp(viewOf(name, await readDeployment(name, terminal))),
    terminal,
  );
  const ok = await printProofs(terminal, shown, proofs);
  terminal.document({ ok, stack: name, changes: result.changes, mended: result.found, outputs: shown, proofs });
  terminal.print(`\nNext: ${next(name).join("\n      ")}`);
  return ok ? 0 : 1;
};

/** What a person may want to do with a running stack. */
function next(stack: string): string[] {
  const to = stack === "local" ? "" : ` -- ${stack}`;
  const commands = [
    [`npm run status${to}`, "what runs"],
    [`npm run logs${to}`, "what it says"],
    ["npm run new -- NAME", "a filter of your own"],
    [`npm run destroy${to}`, "take it all down"],
  ] as const;
  const width = Math.max(...commands.map(([command]) => command.length));
  return commands.map(([command, what]) => `${command.padEnd(width)}  ${what}`);
}
