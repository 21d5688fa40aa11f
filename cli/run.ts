import type { CommandLine } from "./arguments.ts";
import type { Terminal } from "./terminal.ts";

/** What a command gets. It returns the exit code. */
export type Run = (line: CommandLine, terminal: Terminal) => Promise<number>;
