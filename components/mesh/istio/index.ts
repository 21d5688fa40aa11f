import type { MeshKind } from "../kind.ts";
import { name } from "./names.ts";
import { capabilities, schema, withSettings } from "./schema.ts";

/** Istio with sidecars in a cluster. */
export const istio: MeshKind = {
  name,
  capabilities,
  schema,
  async create(args) {
    const { IstioMesh } = await import("./istio.ts");
    return new IstioMesh("mesh", { ...args, config: withSettings(args.config) });
  },
};
