import type { CommandLine, OptionSpec } from "./arguments/arguments.ts";
import type { Terminal } from "./output/terminal.ts";

/** What a command gets. It returns the exit code. */
export type Run = (line: CommandLine, terminal: Terminal) => Promise<number>;

export interface Command {
  /** What follows `--`. */
  arguments: string;
  help: string;
  maxPositionals: number;
  options?: Record<string, OptionSpec>;
  /** Takes its arguments as they are: they are another program's. */
  passesOn?: boolean;
  /** Loaded when it is called. */
  load: () => Promise<{ run: Run }>;
}
