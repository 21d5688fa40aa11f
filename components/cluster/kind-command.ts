/**
 * Deletes a kind cluster that an earlier version has made, which gave this to @pulumi/command: it stands in such a stack's
 * state until the next `up`. Called with `delete`, and with what the cluster was made from, as JSON, on its input.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { json } from "node:stream/consumers";
import { inThisClone } from "../../lib/clone.ts";
import { messageOf } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { findContainers } from "./docker.ts";
import { kubeconfigIn, nodeName, type Owner, ownerId, ownership } from "./kind/config.ts";

interface Made {
  name: string;
  owner: Owner;
  generation: string;
}

async function deleteCluster({ name, owner, generation }: Made): Promise<void> {
  const directory = inThisClone(owner.directory);
  const kubeconfig = kubeconfigIn(directory);
  const [node] = await findContainers([nodeName(name)]);
  const found = node && ownership(node);
  const isOwn = found?.owner === ownerId(owner);
  if (isOwn && found.generation !== generation) return; // another one has taken its place, and has its files
  if (isOwn) {
    const { code, stderr } = await exec("kind", ["delete", "cluster", "--name", name, "--kubeconfig", kubeconfig]);
    if (code !== 0) throw new Error(stderr);
  }
  for (const path of [kubeconfig, join(directory, "kind")]) rmSync(path, { recursive: true, force: true });
}

try {
  await deleteCluster((await json(process.stdin)) as Made);
} catch (error) {
  console.error(messageOf(error));
  process.exitCode = 1;
}
