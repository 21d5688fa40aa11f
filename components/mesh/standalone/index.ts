import type { MeshKind } from "../kind.ts";
import { name } from "./names.ts";
import { capabilities, schema } from "./schema.ts";

/** One Envoy as a process of this machine. */
export const standalone: MeshKind = {
  name,
  capabilities,
  schema,
  create: async (args) => new (await import("./standalone.ts")).StandaloneMesh("mesh", args),
};
