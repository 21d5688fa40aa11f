import type { MeshKind } from "../kind.ts";
import { capabilities, schema } from "./schema.ts";

/** One Envoy as a process of this machine. */
export const standalone: MeshKind = {
  name: "standalone",
  capabilities,
  schema,
  create: async (args) => new (await import("./standalone.ts")).StandaloneMesh("mesh", args),
};
