/** Files that the engine's plugins leave behind. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * For each Helm release, the Kubernetes provider writes the cluster's kubeconfig to a temporary file and leaves it there.
 * Only the copies of this kubeconfig are removed: another stack's run may need its own.
 * @param kubeconfig the stack's file; there may be none
 * @param folder where temporary files are
 */
export function removeKubeconfigCopies(kubeconfig: string, folder: string): void {
  const original = textOf(kubeconfig)?.trim();
  if (!original || !existsSync(folder)) return;
  for (const name of readdirSync(folder).filter((name) => /^kubeconfig\d+$/.test(name))) {
    const path = join(folder, name);
    if (textOf(path)?.trim() === original) rmSync(path, { force: true });
  }
}

/** Undefined for what is no file, is somebody else's, or goes just now. */
function textOf(path: string): string | undefined {
  try {
    const found = statSync(path);
    return found.isFile() && found.uid === process.getuid?.() ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}
