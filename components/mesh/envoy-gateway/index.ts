import type { MeshKind } from "../kind.ts";
import { name } from "./names.ts";
import { capabilities, schema } from "./schema.ts";

/** Envoy Gateway in a cluster. */
export const envoyGateway: MeshKind = {
  name,
  capabilities,
  schema,
  create: async (args) => new (await import("./envoy-gateway.ts")).EnvoyGatewayMesh("mesh", args),
};
