import { processesOf } from "../processes.ts";
import type { Run } from "../run.ts";
import { outputsOf, readDeployment } from "../stack.ts";
import { duration } from "../terminal.ts";

/** `npm run status [-- STACK]`: the stack's processes, dead or alive. Exit code 1 when one that should run does not. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const deployment = await readDeployment(name, terminal);
  const processes = processesOf(deployment, Date.now());
  const resources = deployment?.resources?.filter((r) => !r.type.startsWith("pulumi:providers:")).length ?? 0;
  if (resources === 0) terminal.print(`Stack ${name} is not up.`);
  else terminal.print(`Stack ${name}: ${resources} resources`);
  const rows = processes.map(({ name, pid, alive, ports, uptimeMs }) => [
    name,
    alive ? "alive" : "dead",
    `pid ${pid}`,
    ports.length > 0 ? `port ${ports.join(", ")}` : "",
    uptimeMs === undefined ? "" : `up ${duration(uptimeMs)}`,
  ]);
  const widths = [0, 1, 2, 3, 4].map((i) => Math.max(0, ...rows.map((row) => row[i]?.length ?? 0)));
  const { good, bad } = terminal.paint;
  for (const row of rows) {
    const cells = row.map((cell, i) => cell.padEnd(widths[i] ?? 0));
    cells[1] = row[1] === "alive" ? good(cells[1] ?? "") : bad(cells[1] ?? "");
    terminal.print(`  ${cells.join("  ").trimEnd()}`);
  }
  const dead = processes.filter((process) => !process.alive);
  if (dead.length > 0)
    terminal.print(
      `\n${dead.length} of ${processes.length} dead: npm start starts them again; npm run logs shows why.`,
    );
  const outputs = outputsOf(deployment);
  if (typeof outputs.gatewayUrl === "string") terminal.print(`\nGateway: ${outputs.gatewayUrl}`);
  terminal.document({ stack: name, up: resources > 0, resources, processes, outputs });
  return dead.length > 0 ? 1 : 0;
};
