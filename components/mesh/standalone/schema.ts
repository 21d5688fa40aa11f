import type { Capabilities } from "../capabilities.ts";
import type { Schema } from "../kind.ts";

export const capabilities: Capabilities = {
  cluster: false,
  deliveries: { file: ["route", "workload", "gateway"] },
  failures: ["open", "close", "reload"],
  logs: ["envoy"],
};

/** It has no words of its own. */
export const schema: Schema = { stack: {}, filter: {} };
