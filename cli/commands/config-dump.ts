import { stringify } from "yaml";
import { UserError } from "../../lib/errors.ts";
import { envoyOf, filterConfigurations } from "../envoy-dump.ts";
import { stackAndName } from "../positionals.ts";
import type { Run } from "../run.ts";
import { readDeployment } from "../stack.ts";

/** `npm run config-dump [-- STACK] [FILTER]`: what the proxy itself holds of the filters. */
export const run: Run = async ({ positionals }, terminal) => {
  const { stack: name, rest: filter } = stackAndName(positionals, "FILTER");
  const admin = envoyOf(await readDeployment(name, terminal));
  if (!admin) throw new UserError(`Stack ${name} has no Envoy on this machine that could be asked; is it up?`);
  const all = await filterConfigurations(admin);
  const chosen = filter === undefined ? [...all.values()] : [all.get(filter)].filter((f) => f !== undefined);
  if (filter !== undefined && chosen.length === 0)
    throw new UserError(`The proxy has no filter "${filter}"; it has ${[...all.keys()].join(", ") || "none"}.`);
  for (const { name, lastUpdated, typedConfig } of chosen) {
    terminal.print(terminal.paint.dim(`# ${name}, since ${lastUpdated ?? "it started"}`));
    terminal.print(stringify(typedConfig).trimEnd());
  }
  terminal.document(chosen);
  return 0;
};
