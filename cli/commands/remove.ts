import { join } from "node:path";
import { UserError } from "../../lib/errors.ts";
import { readText, rewrite } from "../../lib/files.ts";
import { root } from "../../lib/paths.ts";
import { undeclareFilter } from "../../toolchain/declare.ts";
import { stackAndName } from "../arguments/positionals.ts";
import type { Run } from "../run.ts";
import { readDeployment } from "../stack/stack.ts";
import { run as start } from "./start.ts";

/** `npm run remove -- [STACK] FILTER`: takes one filter out of a stack, and nothing else. Its source stays. */
export const run: Run = async ({ positionals }, terminal) => {
  const { stack: name, rest: filter } = stackAndName(positionals, "FILTER");
  if (filter === undefined) throw new UserError("A filter is needed: npm run remove -- [STACK] FILTER");
  const isUp = ((await readDeployment(name, terminal))?.resources?.length ?? 0) > 0;
  const file = `Pulumi.${name}.yaml`;
  const path = join(root, file);
  rewrite(path, undeclareFilter(readText(path), filter));
  terminal.note(`Filter ${filter} is no longer declared in ${file}`);
  if (isUp) return start({ positionals: [name], options: {} }, terminal);
  terminal.print(`Stack ${name} is not up: there is nothing else to take out.`);
  terminal.document({ ok: true, stack: name, removed: filter });
  return 0;
};
