/** `meshup:index:ImageContext`: the folder that an image is built from, in `.meshup/images`, named by its content. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { inThisClone } from "../lib/clone.ts";
import { withPathAsync } from "../lib/disk.mjs";
import { messageOf, UserError } from "../lib/errors.ts";
import { root, stateDir } from "../lib/paths.ts";
import type { ResourceType } from "./resource.ts";

export interface ImageContextInputs {
  /** Text of the Dockerfile. */
  dockerfile: string;
  /**
   * Files that the image copies: name in the folder → path of the file. Files are named by their content, so that a
   * change is visible.
   */
  files: Record<string, string>;
}

export interface ImageContextOutputs {
  /** Absolute path of the folder, named by its content. */
  directory: string;
  /** sha256 over the folder's content, hex. */
  sha256: string;
}

const images = join(stateDir, "images");

export const imageContextType: ResourceType<ImageContextInputs, ImageContextOutputs> = {
  inputs: { dockerfile: "update", files: "update" },
  id: ({ dockerfile, files }) =>
    createHash("sha256")
      .update(JSON.stringify([dockerfile, files]))
      .digest("hex"),
  create: (inputs) => makeContext(inputs),
  update: (_olds, news) => makeContext(news),
  hasDrifted: async ({ directory }) => inThisClone(directory) !== directory || !existsSync(directory),
  read: async (state) => (existsSync(state.directory) ? state : undefined),
  // No delete: another stack may use the same folder. `npm run destroy` removes it.
};

/** Creates the folder if it is missing, with the Dockerfile and only the named files. */
export async function makeContext(
  { dockerfile, files }: ImageContextInputs,
  parent = images,
): Promise<ImageContextOutputs> {
  const names = Object.keys(files).sort();
  const contents = await Promise.all(names.map((name) => read(resolve(root, files[name] as string))));
  const hash = createHash("sha256").update(dockerfile);
  names.forEach((name, i) => {
    const content = createHash("sha256").update(contents[i] as Buffer);
    hash.update(`\0${name}\0`).update(content.digest("hex"));
  });
  const sha256 = hash.digest("hex");
  const directory = join(parent, sha256);
  if (existsSync(directory)) return { directory, sha256 };

  await mkdir(parent, { recursive: true });
  const building = await mkdtemp(`${directory}.`); // two at once, in one process or in two, must not share it
  try {
    await write(join(building, "Dockerfile"), dockerfile);
    for (const [i, name] of names.entries()) await write(join(building, name), contents[i] as Buffer);
    await rename(building, directory).catch((error) => {
      if (!existsSync(directory)) throw error; // else another run was quicker
    });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
  return { directory, sha256 };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UserError(`${path}, which goes into an image, cannot be read: ${messageOf(error)}`);
  }
}

/**
 * All files get the same time stamp. Builders write it into the layer, whose digest must depend on the content only.
 */
async function write(path: string, content: string | Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await withPathAsync(path, () => writeFile(path, content, { mode: 0o644 }));
  await utimes(path, 1, 1);
}
