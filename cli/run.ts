import type { CommandLine } from "./arguments/arguments.ts";
import type { Terminal } from "./output/terminal.ts";

/** What a command gets. It returns the exit code. */
export type Run = (line: CommandLine, terminal: Terminal) => Promise<number>;
