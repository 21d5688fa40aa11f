import { stackDir } from "../../lib/paths.ts";
import { openCluster, placeOf, viewOf } from "../inspect/cluster.ts";
import { clusterStatus, type PartStatus } from "../inspect/cluster-status.ts";
import { type ProcessStatus, processesIn } from "../inspect/processes.ts";
import { type UrlStatus, urlStatus } from "../inspect/workloads.ts";
import { duration, type Terminal } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { outputsOf } from "../stack/outputs.ts";
import { readDeployment } from "../stack/stack.ts";

/**
 * `npm run status [-- STACK]`: the stack's processes, dead or alive, or what runs in its cluster. Exit code 1 when
 * something that should run does not.
 */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  const deployment = await readDeployment(name, terminal);
  const outputs = outputsOf(deployment);
  const processes = processesIn(stackDir(name), Date.now());
  const place = deployment && (await placeOf(viewOf(name, deployment)));
  const parts = place && (await clusterStatus(await openCluster(place, outputs)));
  const urls = await urlStatus(
    outputs,
    processes.map((process) => process.name),
  );
  const resources = deployment?.resources?.filter((r) => !r.type.startsWith("pulumi:providers:")).length ?? 0;
  if (resources === 0) terminal.print(`Stack ${name} is not up.`);
  else terminal.print(`Stack ${name}: ${resources} resources`);
  printRows(terminal, [...processes.map(processRow), ...(parts ?? []).map(partRow), ...urls.map(urlRow)]);

  const dead = processes.filter((process) => !process.alive);
  const unready = parts?.filter((part) => !isWhole(part)) ?? [];
  if (dead.length > 0)
    terminal.print(
      `\n${dead.length} of ${processes.length} dead: npm start starts them again; npm run logs shows why.`,
    );
  if (unready.length > 0)
    terminal.print(`\nNot ready: ${unready.map((part) => part.name).join(", ")}; npm run doctor -- ${name} says why.`);
  if (typeof outputs.gatewayUrl === "string") terminal.print(`\nGateway: ${outputs.gatewayUrl}`);
  terminal.document({ stack: name, up: resources > 0, resources, processes, ...(parts && { parts }), urls, outputs });
  return dead.length + unready.length + urls.filter(({ problem }) => problem).length > 0 ? 1 : 0;
};

interface StatusRow {
  /** Name, state, and what else there is to say. */
  cells: [string, string, ...string[]];
  good: boolean;
}

function processRow({ name, pid, alive, ports, uptimeMs }: ProcessStatus): StatusRow {
  const port = ports.length > 0 ? `port ${ports.join(", ")}` : "";
  const since = uptimeMs === undefined ? "" : `up ${duration(uptimeMs)}`;
  return { cells: [name, alive ? "alive" : "dead", `pid ${pid}`, port, since], good: alive };
}

function partRow(part: PartStatus): StatusRow {
  return { cells: [part.name, `${part.ready}/${part.pods} ready`], good: isWhole(part) };
}

function urlRow({ name, address, problem }: UrlStatus): StatusRow {
  return { cells: [name, problem === undefined ? "answers" : "no answer", address], good: problem === undefined };
}

const isWhole = ({ ready, pods }: PartStatus) => ready > 0 && ready === pods;

function printRows(terminal: Terminal, rows: StatusRow[]): void {
  const { good, bad } = terminal.paint;
  const width = (column: number) => Math.max(0, ...rows.map(({ cells }) => cells[column]?.length ?? 0));
  for (const { cells, good: isGood } of rows) {
    const padded = cells.map((cell, i) => cell.padEnd(width(i)));
    padded[1] = (isGood ? good : bad)(padded[1] ?? "");
    terminal.print(`  ${padded.join("  ").trimEnd()}`);
  }
}
