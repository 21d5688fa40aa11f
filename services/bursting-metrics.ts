import { createBurstingMetrics } from "./load/service.ts";
import { readLoadSettings } from "./load/settings.ts";
import { run } from "./run.ts";

/** Tells a deployment's load: `LOAD_SERVICES='[…]' node --import tsx services/bursting-metrics.ts`, or in a cluster. */
void run({
  name: "bursting-metrics",
  defaultPort: 8081,
  readSettings: readLoadSettings,
  create: createBurstingMetrics,
});
