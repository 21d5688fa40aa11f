/** Files that the engine's plugins leave behind. */
import { readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * For each Helm release, the Kubernetes provider writes the cluster's kubeconfig to a temporary file and leaves it there.
 * Only the copies of this kubeconfig are removed: another stack's run may need its own.
 * @param kubeconfig the stack's file; there may be none
 * @param folder where temporary files are
 */
export function removeKubeconfigCopies(kubeconfig: string, folder: string): void {
  const original = textOf(kubeconfig)?.trim();
  if (!original) return;
  for (const name of readdirSync(folder).filter((name) => /^kubeconfig\d+$/.test(name))) {
    const path = join(folder, name);
    if (textOf(path)?.trim() === original) rmSync(path, { force: true });
  }
}

function textOf(path: string): string | undefined {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ? readFileSync(path, "utf8") : undefined;
}
