/** `meshup:index:ServiceContext`: one of the project's own services as a folder that an image is built from. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stateDir } from "../lib/paths.ts";
import type { ResourceType } from "./resource.ts";
import type { ServiceContextInputs, ServiceContextOutputs } from "./types.ts";

const directory = join(stateDir, "services");

export const serviceContextType: ResourceType<ServiceContextInputs, ServiceContextOutputs> = {
  inputs: { entry: "replace", sourceHash: "update", from: "update" },
  id: ({ entry }) => entry,
  create: make,
  update: (_olds, news) => make(news),
  hasDrifted: async ({ context }) => !existsSync(context),
  read: async (state) => (existsSync(state.context) ? state : undefined),
  // No delete: a folder by content may be another stack's as well. `npm run destroy` removes them all.
};

async function make({ entry, from }: ServiceContextInputs): Promise<ServiceContextOutputs> {
  const { bundle } = await import("../toolchain/bundle.ts");
  const { sha256, file } = await bundle(entry, directory);
  const dockerfile = dockerfileText(from);
  const tag = createHash("sha256").update(sha256).update(dockerfile).digest("hex");
  const context = join(directory, tag);
  if (!existsSync(context)) {
    // Made whole under another name: a folder that is there is complete.
    await mkdir(directory, { recursive: true });
    const making = await mkdtemp(join(directory, "making-"));
    await writeFile(join(making, "Dockerfile"), dockerfile);
    await copyFile(file, join(making, "service.mjs"));
    await chmod(join(making, "service.mjs"), 0o644); // the image's user has to read it, whatever the umask here is
    await rename(making, context).catch(async (error: NodeJS.ErrnoException) => {
      await rm(making, { recursive: true });
      if (!existsSync(context)) throw error; // otherwise another stack was quicker
    });
  }
  return { context, tag };
}

/** The user is a number: Kubernetes cannot tell that a named one is not root. */
export function dockerfileText(from: string): string {
  return [`FROM ${from}`, "COPY service.mjs /service.mjs", "USER 1000:1000", 'CMD ["node", "/service.mjs"]', ""].join(
    "\n",
  );
}
