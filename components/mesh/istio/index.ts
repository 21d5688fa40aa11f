import type { MeshKind } from "../kind.ts";
import { capabilities, name, schema, withSettings } from "./schema.ts";

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
