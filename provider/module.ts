/** `meshup:index:Module`: a WebAssembly module in `.meshup/modules`, named by its content. */
import { existsSync } from "node:fs";
import { inThisClone } from "../lib/clone.ts";
import { modulesDir } from "../lib/paths.ts";
import type { ResourceType } from "./resource.ts";

export interface ModuleInputs {
  /** A folder of source, a .wasm file, or `oci://REFERENCE@sha256:…`. */
  path: string;
  /** sha256 over everything that goes into the module (`resolveModule`). */
  sourceHash: string;
}

export interface ModuleOutputs {
  /** Hex. */
  sha256: string;
  /** Absolute path of the module, named by its sha256. */
  file: string;
  bytes: number;
}

export const moduleType: ResourceType<ModuleInputs, ModuleOutputs> = {
  inputs: { path: "update", sourceHash: "update" },
  id: ({ path }) => path,
  create: build,
  update: (_olds, news) => build(news),
  hasDrifted: async ({ file }) => inThisClone(file) !== file || !existsSync(file),
  read: async (state) => (existsSync(state.file) ? state : undefined),
  // No delete: another filter may use the same file. `npm run destroy` removes the folder.
};

async function build({ path }: ModuleInputs): Promise<ModuleOutputs> {
  const { resolveModule } = await import("../toolchain/source.ts"); // the compiler takes a second to load
  const { buildModule } = await import("../toolchain/build.ts");
  const built = await buildModule(await resolveModule(path), modulesDir);
  return { sha256: built.sha256, file: built.path, bytes: built.bytes };
}
