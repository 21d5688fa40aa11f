import type { Command } from "../cli/run.ts";

/** The benchmarks' commands, as `npm run` has them. */
export const commands: Record<string, Command> = {
  bench: {
    arguments: "[--quick] [--only ARM,…] [--soak]",
    help: "what the filter costs Envoy, beside others, and five million requests through it",
    maxPositionals: 0,
    options: {
      quick: { help: "two minutes in place of half an hour, and no soak" },
      only: { value: "ARM,…", help: "these arms alone, and no soak" },
      soak: { help: "the five million requests alone" },
    },
    load: () => import("./commands/filter.ts"),
  },
  "bench:stack": {
    arguments: "[--quick]",
    help: "how long the stack dev takes, in a cluster of its own; needs what test:e2e needs",
    maxPositionals: 0,
    options: { quick: { help: "each figure fewer times" } },
    load: () => import("./commands/stack.ts"),
  },
};
