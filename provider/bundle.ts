/** `meshup:local:Bundle`: one of the project's own services as one file. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { inThisClone } from "../lib/clone.ts";
import { stateDir } from "../lib/paths.ts";
import type { ResourceType } from "./resource.ts";

export interface BundleInputs {
  /** The service's TypeScript file: `services/echo.ts`. */
  entry: string;
  /** sha256 over all that goes into the bundle (`bundleHash`). */
  sourceHash: string;
}

export interface BundleOutputs {
  /** Hex. */
  sha256: string;
  /** Absolute path of the one file that Node runs by itself, named by its sha256. */
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
  // No delete: a file by content may be another stack's as well. `npm run destroy` removes the folder.
};

async function make({ entry }: BundleInputs): Promise<BundleOutputs> {
  const { bundle } = await import("../toolchain/bundle.ts");
  return bundle(entry, directory);
}
