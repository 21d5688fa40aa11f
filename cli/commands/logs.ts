import { readable } from "../../envoy/log.ts";
import { inThisClone } from "../../lib/clone.ts";
import { UserError } from "../../lib/errors.ts";
import { wholeNumber } from "../arguments/arguments.ts";
import { stackAndName } from "../arguments/positionals.ts";
import { openCluster, placeOf, viewOf } from "../inspect/cluster.ts";
import { FileLogs } from "../inspect/log-files.ts";
import type { Logs, LogTail } from "../inspect/logs.ts";
import { PodLogs } from "../inspect/pod-logs.ts";
import { isStdoutClosed } from "../output/reader.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { onSignalsOrUnread } from "../signals.ts";
import { openOutputs } from "../stack/outputs.ts";
import { readDeployment } from "../stack/stack.ts";

/** `npm run logs [-- STACK] [NAME] [--lines N] [--follow]`: the last lines of each log, and what comes. */
export const run: Run = async ({ positionals, options }, terminal) => {
  const { stack: name, rest } = stackAndName(positionals, "NAME");
  const count = typeof options.lines === "string" ? wholeNumber("lines", options.lines) : 20;
  if (options.follow && terminal.json)
    throw new UserError("--follow has no end and --json is one document: choose one of them.");
  const deployment = await readDeployment(name, terminal);
  const { shown } = await openOutputs(name, deployment, terminal);
  const files = Object.entries((shown.logs ?? {}) as Record<string, string>);
  const place = await placeOf(viewOf(name, deployment));
  const cluster = place && (await openCluster(place, shown));
  const logs = cluster
    ? new PodLogs(cluster.api, cluster.parts)
    : new FileLogs(Object.fromEntries(files.map(([name, path]) => [name, inThisClone(path)])));
  if (logs.names.length === 0) throw new UserError(`Stack ${name} has no logs; is it up?`);
  if (rest !== undefined && !logs.names.includes(rest))
    throw new UserError(`Stack ${name} has no log "${rest}"; there are ${logs.names.join(", ")}.`);
  const chosen = rest === undefined ? logs.names : [rest];
  return (options.follow ? follow : printLast)(logs, chosen, count, terminal);
};

/** @returns the command's exit code: 1 where a log that should be there cannot be read */
async function printLast(logs: Logs, names: string[], count: number, terminal: Terminal): Promise<number> {
  const document: Record<string, LogTail[]> = {};
  const tails = await Promise.all(names.map((name) => logs.last(name, count)));
  const prefix = prefixes(names, terminal);
  names.forEach((name, i) => {
    document[name] = tails[i] as LogTail[];
    for (const { from, lines, problem } of document[name]) {
      for (const line of lines) terminal.print(`${prefix(name, from)}${readable(line)}`);
      if (problem !== undefined) terminal.note(`${name}: ${problem}`);
      else if (lines.length === 0 && count > 0) terminal.note(`${name}: the log is empty (${from})`);
    }
    if (document[name].length === 0) terminal.note(`${name}: there is no pod of it`);
  });
  terminal.document(document);
  return Object.values(document).some((tails) => tails.some(({ unreadable }) => unreadable)) ? 1 : 0;
}

async function follow(logs: Logs, names: string[], count: number, terminal: Terminal): Promise<number> {
  const stopping = new AbortController();
  if (isStdoutClosed()) stopping.abort();
  const release = onSignalsOrUnread(() => stopping.abort());
  const prefix = prefixes(names, terminal);
  try {
    await logs.follow(
      names,
      count,
      (name, from, line) => terminal.print(`${prefix(name, from)}${readable(line)}`),
      stopping.signal,
    );
  } finally {
    release();
  }
  return 0;
}

/** Before a line stands its log's name where there are several, and where it comes from if that is not always the same. */
function prefixes(names: string[], { paint }: Terminal): (name: string, from: string) => string {
  const width = Math.max(...names.map((name) => name.length));
  const firstFrom = new Map<string, string>();
  return (name, from) => {
    if (!firstFrom.has(name)) firstFrom.set(name, from);
    const parts = [
      ...(names.length > 1 ? [name.padEnd(width)] : []),
      ...(firstFrom.get(name) === from ? [] : [`(${from})`]),
    ];
    return parts.length > 0 ? `${paint.dim(parts.join(" "))}  ` : "";
  };
}
