import { isDiskFull, mendable, messageOf, UserError } from "../lib/errors.ts";
import { stackOf } from "../lib/stack-trace.ts";
import { type ArgumentSpec, type OptionSpec, parseArguments, usageOf } from "./arguments/arguments.ts";
import { createTerminal, reserveStdout, type Terminal } from "./output/terminal.ts";
import type { Command } from "./run.ts";
import { settleClone } from "./stack/copies.ts";

const lines: OptionSpec = { value: "N", help: "how many lines of each log (default 20)" };
const follow: OptionSpec = { help: "go on as the logs grow" };

/** Every command but the benchmarks', as `npm run` has them. */
export const commands: Record<string, Command> = {
  start: {
    arguments: "[STACK]",
    help: "bring the stack up and show that its filters work",
    maxPositionals: 1,
    load: () => import("./commands/start.ts"),
  },
  destroy: {
    arguments: "[STACK]",
    help: "take everything of the stack down",
    maxPositionals: 1,
    load: () => import("./commands/destroy.ts"),
  },
  verify: {
    arguments: "[STACK]",
    help: "show again that the filters of a running stack work",
    maxPositionals: 1,
    load: () => import("./commands/verify.ts"),
  },
  doctor: {
    arguments: "[STACK]",
    help: "step by step, what is broken and how to mend it",
    maxPositionals: 1,
    load: () => import("./commands/doctor.ts"),
  },
  status: {
    arguments: "[STACK]",
    help: "what runs: processes and their ports, or what is ready in the cluster",
    maxPositionals: 1,
    load: () => import("./commands/status.ts"),
  },
  logs: {
    arguments: "[STACK] [NAME]",
    help: "the logs of processes or pods, or that of one; in a cluster also `gateway` and the mesh's control plane",
    maxPositionals: 2,
    options: { lines, follow },
    load: () => import("./commands/logs.ts"),
  },
  "config-dump": {
    arguments: "[STACK] [FILTER]",
    help: "the filters' part of the proxies' own configuration; in a cluster also of one proxy, as `gateway`",
    maxPositionals: 2,
    load: () => import("./commands/config-dump.ts"),
  },
  new: {
    arguments: "NAME",
    help: "make a filter of your own and declare it in Pulumi.local.yaml",
    maxPositionals: 1,
    load: () => import("./commands/new.ts"),
  },
  build: {
    arguments: "",
    help: "compile the filter to build/filter.wasm",
    maxPositionals: 0,
    load: () => import("./commands/build.ts"),
  },
  push: {
    arguments: "STACK",
    help: "build the filters' images and push them, and nothing else; makes cluster and registry where there are none",
    maxPositionals: 1,
    load: () => import("./commands/push.ts"),
  },
  remove: {
    arguments: "[STACK] FILTER",
    help: "take one filter out: its declaration, and its policy where the stack is up",
    maxPositionals: 2,
    load: () => import("./commands/remove.ts"),
  },
  init: {
    arguments: "[STACK]",
    help: 'set up for your own `pulumi up`: eval "$(npm -s run init -- STACK)"',
    maxPositionals: 1,
    load: () => import("./commands/init.ts"),
  },
  check: {
    arguments: "",
    help: "types, format and lint",
    maxPositionals: 0,
    load: () => import("./commands/check.ts"),
  },
  format: {
    arguments: "",
    help: "format every file, and mend what the linter can",
    maxPositionals: 0,
    load: () => import("./commands/format.ts"),
  },
  test: {
    arguments: "[VITEST'S ARGUMENTS]",
    help: "check, then every test that needs no cluster",
    maxPositionals: Number.POSITIVE_INFINITY,
    passesOn: true,
    load: () => import("./commands/test.ts"),
  },
  "test:e2e": {
    arguments: "[VITEST'S ARGUMENTS]",
    help: "the tests in a cluster; they need Docker, kind and Pulumi's plugins",
    maxPositionals: Number.POSITIVE_INFINITY,
    passesOn: true,
    load: () => import("./commands/test-e2e.ts"),
  },
};

/**
 * Runs one command.
 * @param more commands that are not of this folder
 * @returns the exit code
 */
export async function main(args: string[], more: Record<string, Command> = {}): Promise<number> {
  const all = { ...commands, ...more };
  // A reader that has gone (`npm start | head`) is no reason to leave the work half-done.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const [name = "", ...rest] = args;
  const json = rest.includes("--json") && !all[name]?.passesOn;
  const terminal = createTerminal(json ? { json, stdout: reserveStdout() } : { json });
  try {
    const command = Object.hasOwn(all, name) ? all[name] : undefined;
    if (!command) throw new UserError(`${name ? `There is no command "${name}". ` : ""}${commandList(all)}`);
    if (command.passesOn) return await (await command.load()).run({ positionals: rest, options: {} }, terminal);
    const spec = specOf(name, command);
    const line = parseArguments(rest, spec);
    if (line.options.help) {
      terminal.print(`${command.help}\n${usageOf(spec)}`);
      terminal.document({ help: command.help, usage: spec.usage });
      return 0;
    }
    try {
      settleClone((line) => terminal.note(line));
    } catch (error) {
      if (!isDiskFull(error)) throw error; // the next command notes it: this one may need no room
    }
    return await (await command.load()).run(line, terminal);
  } catch (error) {
    return report(error, terminal);
  }
}

/** A person's error is its message; ours shows where it is. */
function report(error: unknown, terminal: Terminal): number {
  const expected = mendable(error);
  const text = expected ? expected.message : `${stackOf(error)}\nThis is a defect of meshup.`;
  terminal.note(terminal.paint.bad(text));
  terminal.document({ ok: false, error: expected?.message ?? messageOf(error) });
  return expected?.constructor.name === "Interrupted" ? 130 : 1;
}

function specOf(name: string, command: Command): ArgumentSpec {
  const run = name === "start" || name === "test" ? `npm ${name}` : `npm run ${name}`;
  return {
    usage: command.arguments ? `${run} -- ${command.arguments}` : run,
    maxPositionals: command.maxPositionals,
    options: {
      ...command.options,
      json: { help: "one JSON document on standard output" },
      help: { help: "this" },
    },
  };
}

function commandList(commands: Record<string, Command>): string {
  const width = Math.max(...Object.keys(commands).map((name) => name.length));
  const list = Object.entries(commands).map(([name, { help }]) => `  ${name.padEnd(width)}  ${help}`);
  return ["The commands of `npm run` are:", ...list].join("\n");
}
