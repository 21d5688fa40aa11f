import { stringify } from "yaml";
import type { DumpedFilter } from "../../components/mesh/inspector.ts";
import { UserError } from "../../lib/errors.ts";
import { redactIn } from "../../lib/redact.ts";
import { stackAndName } from "../arguments/positionals.ts";
import { meshOf } from "../inspect/mesh.ts";
import type { Run } from "../run.ts";
import { openOutputs } from "../stack/outputs.ts";
import { readDeployment } from "../stack/stack.ts";

/** `npm run config-dump [-- STACK] [FILTER or WORKLOAD]`: what the proxies themselves hold of the filters. */
export const run: Run = async ({ positionals }, terminal) => {
  const { stack: name, rest } = stackAndName(positionals, "FILTER");
  const deployment = await readDeployment(name, terminal);
  const mesh = await meshOf(await openOutputs(name, deployment, terminal));
  if (!mesh) throw new UserError(`Stack ${name} has no proxy that could be asked; is it up?`);
  const all = await mesh.inspector.dump(mesh.running);
  const chosen = all.filter(
    ({ name, proxy, workloads = [] }) => rest === undefined || [name, proxy?.workload, ...workloads].includes(rest),
  );
  if (rest !== undefined && chosen.length === 0)
    throw new UserError(
      `No proxy has a filter "${rest}"; there are ${unique(all.map((f) => f.name)) || "none"}${proxiesOf(all)}.`,
    );
  for (const { name, proxy, note, typedConfig } of chosen) {
    terminal.print(terminal.paint.dim(`# ${name}, ${note}${proxy ? `, in ${proxy.workload} (${proxy.pod})` : ""}`));
    terminal.print(stringify(redactIn(typedConfig)).trimEnd());
  }
  terminal.document(chosen);
  return 0;
};

function proxiesOf(all: DumpedFilter[]): string {
  const workloads = unique(all.flatMap(({ proxy }) => (proxy ? [proxy.workload] : [])));
  return workloads === "" ? "" : `, in the proxies of ${workloads}`;
}

const unique = (names: string[]) => [...new Set(names)].join(", ");
