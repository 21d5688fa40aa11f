/** `meshup:local:Bundle`: bundles one of the project's own services into one file. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inThisClone } from "../lib/clone.ts";
import { stateDir } from "../lib/paths.ts";
import type { ResourceType } from "./resource.ts";

export interface BundleInputs {
  /** The service's TypeScript file: `services/echo.ts`. */
  entry: string;
  /** sha256 over everything that goes into the bundle (`bundleHash`). */
  sourceHash: string;
}

export interface BundleOutputs {
  /** Hex. */
  sha256: string;
  /** Absolute path of the bundled file, which Node runs without other files. It is named by its sha256. */
  file: string;
}

const directory = join(stateDir, "services");

export const bundleType: ResourceType<BundleInputs, BundleOutputs> = {
  inputs: { entry: "replace", sourceHash: "update" },
  id: ({ entry }) => entry,
  create: make,
  update: (_olds, news) => make(news),
  hasDrifted: async ({ file }) => inThisClone(file) !== file || !existsSync(file),
  read: async (state) => (existsSync(state.file) ? state : undefined),
  // No delete: another stack may use the same file. `npm run destroy` removes the folder.
};

async function make({ entry }: BundleInputs): Promise<BundleOutputs> {
  const { bundle } = await import("../toolchain/bundle.ts");
  return bundle(entry, directory);
}
