import { UserError } from "../../lib/errors.ts";
import { meshOf } from "../inspect/mesh.ts";
import { filterOutputs, printProofs, proveAll } from "../inspect/proof.ts";
import type { Run } from "../run.ts";
import { openOutputs } from "../stack/outputs.ts";
import { readDeployment } from "../stack/stack.ts";

/** `npm run verify [-- STACK]`: the proofs alone, and whether the proxy runs the very modules that were built. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const deployment = await readDeployment(name, terminal);
  const all = await openOutputs(name, deployment, terminal);
  const { known, shown: outputs } = all;
  const filters = filterOutputs(known, outputs);
  if (typeof outputs.gatewayUrl !== "string")
    throw new UserError(
      `Stack ${name} is not up: ${name === "local" ? "npm start" : `npm start -- ${name}`} brings it up.`,
    );

  const proofs = await proveAll(filters);
  let ok = await printProofs(terminal, outputs, proofs);
  const mesh = await meshOf(all);
  const modules = await mesh?.inspector.running(mesh.running);
  if (modules) {
    terminal.print("\nModules, as the proxy itself says what it runs:");
    const width = Math.max(0, ...modules.map((module) => module.filter.length));
    for (const { filter, digest, running } of modules) {
      const mark = running ? `${terminal.paint.good("ok")}    ` : `${terminal.paint.bad("OTHER")} `;
      terminal.print(`  ${mark}  ${filter.padEnd(width)}  sha256:${digest}`);
    }
    ok &&= modules.every((module) => module.running);
  }
  terminal.document({ ok, stack: name, outputs, proofs, modules });
  return ok ? 0 : 1;
};
