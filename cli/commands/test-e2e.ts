import type { Run } from "../run.ts";
import { runTests } from "./test.ts";

/** `npm run test:e2e [-- VITEST'S ARGUMENTS]`: the stacks in a cluster, in kind. Says what is missing, and skips. */
export const run: Run = ({ positionals: args }, terminal) => runTests(["e2e"], args, terminal);
