import type { KubeApi } from "../../kube/api.ts";
import { UserError } from "../../lib/errors.ts";
import type { Step } from "../../lib/steps.ts";
import { viewOf } from "../inspect/cluster.ts";
import { examine } from "../inspect/doctor.ts";
import { otherAtGateway } from "../inspect/proof.ts";
import type { Run } from "../run.ts";
import { driftIn } from "../stack/mend.ts";
import { openOutputs } from "../stack/outputs.ts";
import { readDeployment } from "../stack/stack.ts";

/** `npm run doctor [-- STACK]`: step by step from this machine to a header on a response, which one is broken. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const deployment = await readDeployment(name, terminal);
  const all = await openOutputs(name, deployment, terminal);
  const outputs = all.shown;
  if (!deployment?.resources?.length)
    throw new UserError(
      `Stack ${name} is not up: ${name === "local" ? "npm start" : `npm start -- ${name}`} brings it up.`,
    );

  const drift = (api: KubeApi) => driftIn(api, deployment);
  const steps = await examine({ ...viewOf(name, deployment), known: all.known, drift });
  steps.push(...(await localhostStep(outputs)));
  if (steps.length === 0)
    throw new UserError(
      `Nothing of stack ${name} has come up that could be looked at: \`npm start -- ${name}\` says why.`,
    );
  const width = Math.max(...steps.map((step) => step.name.length));
  const { good, bad } = terminal.paint;
  for (const { name, ok, detail, mend } of steps) {
    const mark = ok === undefined ? "-     " : ok ? `${good("ok")}    ` : `${bad("BROKEN")}`;
    terminal.print(`  ${mark}  ${name.padEnd(width)}  ${detail.replaceAll("\n", `\n${" ".repeat(width + 12)}`)}`);
    if (mend) terminal.print(`${" ".repeat(width + 12)}to mend it: ${mend}`);
  }
  const broken = steps.filter((step) => step.ok === false);
  terminal.print(
    broken.length === 0 ? "\nNothing is broken." : `\nBroken: ${broken.map((step) => step.name).join(", ")}.`,
  );
  terminal.document({ ok: broken.length === 0, stack: name, steps });
  return broken.length === 0 ? 0 : 1;
};

/** What people ask is the gateway, where it is this machine's. */
async function localhostStep({ gatewayUrl }: Record<string, unknown>): Promise<Step[]> {
  if (typeof gatewayUrl !== "string" || new URL(gatewayUrl).hostname !== "localhost") return [];
  const taken = await otherAtGateway(gatewayUrl);
  if (!taken) return [{ name: "localhost", ok: true, detail: `${gatewayUrl} is this stack's alone` }];
  return [{ name: "localhost", ok: false, detail: taken.other, mend: `stop that process, or ask ${taken.own}` }];
}
