import { readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Container, docker, findContainers } from "../../components/cluster/docker.ts";
import { nodeName, ownership } from "../../components/cluster/kind/config.ts";
import { UserError } from "../../lib/errors.ts";
import { isAlive, type ProcessIdentity } from "../../process/table.ts";
import { ownerFile, scratchPrefix } from "../local/scratch-clone.ts";

/** The containers of a kind stack, by the cluster's name. */
export const containersOf = (cluster: string) => [nodeName(cluster), `${cluster}-registry`];

/**
 * Removes what a test run or a benchmark that was killed has left of the cluster of this name. Only what was made from a
 * scratch clone is touched; a stack of that name in anybody's own clone stays, and is in the way.
 * @returns the names of the containers that were removed
 * @throws UserError when the run that made it is still under way
 */
export async function removeLeftovers(cluster: string): Promise<string[]> {
  const found = await findContainers(containersOf(cluster));
  const left = found.flatMap((container) => {
    const clone = scratchCloneOf(container);
    return clone === undefined ? [] : [{ container, clone }];
  });
  for (const { container, clone } of left)
    if (isUsed(clone)) throw new UserError(`${container.name} belongs to a run that is under way, in ${clone}`);
  for (const { container, clone } of left) {
    await docker(["rm", "--force", "--volumes", container.id]);
    rmSync(clone, { recursive: true, force: true });
  }
  return left.map(({ container }) => container.name);
}

/** The scratch clone that a container was made from; undefined when it was made from anything else. */
function scratchCloneOf(container: Container): string | undefined {
  const directory = ownership(container)?.directory; // CLONE/.meshup/stacks/STACK
  if (directory === undefined) return undefined;
  const clone = dirname(dirname(dirname(directory)));
  return basename(clone).startsWith(scratchPrefix) ? clone : undefined;
}

function isUsed(clone: string): boolean {
  try {
    return isAlive(JSON.parse(readFileSync(join(clone, ownerFile), "utf8")) as ProcessIdentity);
  } catch {
    return false; // the clone has gone, and whoever made it
  }
}
