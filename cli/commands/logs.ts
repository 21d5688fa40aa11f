import { existsSync } from "node:fs";
import { UserError } from "../../lib/errors.ts";
import { wholeNumber } from "../arguments.ts";
import { LogFollower, lastLines } from "../log-files.ts";
import { stackAndName } from "../positionals.ts";
import type { Run } from "../run.ts";
import { outputsOf, readDeployment } from "../stack.ts";

/** `npm run logs [-- STACK] [NAME] [--lines N] [--follow]`: the last lines of each log, and what comes. */
export const run: Run = async ({ positionals, options }, terminal) => {
  const { stack: name, rest } = stackAndName(positionals, "NAME");
  const count = typeof options.lines === "string" ? wholeNumber("lines", options.lines) : 20;
  if (options.follow && terminal.json)
    throw new UserError("--follow has no end and --json is one document: choose one of them.");
  const logs = (outputsOf(await readDeployment(name, terminal)).logs ?? {}) as Record<string, string>;
  const names = Object.keys(logs).sort();
  if (names.length === 0) throw new UserError(`Stack ${name} has no logs; is it up?`);
  if (rest !== undefined && !names.includes(rest))
    throw new UserError(`Stack ${name} has no log "${rest}"; there are ${names.join(", ")}.`);

  const chosen = rest === undefined ? names : [rest];
  const width = Math.max(...chosen.map((name) => name.length));
  const prefix = (name: string) => (chosen.length > 1 ? `${terminal.paint.dim(name.padEnd(width))}  ` : "");
  const document: Record<string, { path: string; lines: string[] }> = {};
  for (const name of chosen) {
    const path = logs[name] as string;
    const lines = existsSync(path) ? lastLines(path, count) : [];
    document[name] = { path, lines };
    for (const line of lines) terminal.print(`${prefix(name)}${line}`);
    if (lines.length === 0 && count > 0) terminal.note(`${name}: the log is empty (${path})`);
  }
  terminal.document(document);
  if (options.follow) {
    const followers = chosen.map((name) => ({ name, follower: new LogFollower(logs[name] as string) }));
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        for (const { name, follower } of followers)
          for (const line of follower.newLines()) terminal.print(`${prefix(name)}${line}`);
      }, 200);
      for (const signal of ["SIGINT", "SIGTERM"] as const)
        process.once(signal, () => {
          clearInterval(timer);
          resolve();
        });
    });
  }
  return 0;
};
