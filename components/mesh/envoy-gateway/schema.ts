import type { Capabilities, TargetKind } from "../capabilities.ts";
import type { Schema } from "../kind.ts";
import { name } from "./names.ts";

const onGateway: TargetKind[] = ["route", "workload", "gateway"];

export const capabilities: Capabilities = {
  cluster: true,
  deliveries: { image: onGateway, http: onGateway, lua: onGateway },
  failures: ["open", "close"],
  logs: ["gateway", name],
  clusters: ["/^(http|grpc|tcp|tls|udp)route\\//"],
  certificatesByName: true,
  jsonOnly: true,
};

/** It has no words of its own. */
export const schema: Schema = { stack: {}, filter: {} };
