import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The clone: the folder that holds Pulumi.yaml. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** All that the project writes inside the clone (git-ignored): state, logs, modules, Python packages. */
export const stateDir = join(root, ".meshup");

/** Modules by content: `<sha256>.wasm`. */
export const modulesDir = join(stateDir, "modules");

/** Files of one stack's processes: Envoy's configuration, process records, logs. */
export function stackDir(stack: string): string {
  return join(stateDir, "stacks", stack);
}

/** Downloads that outlive the clone (the Pulumi engine, Envoy): `$XDG_CACHE_HOME/meshup` or `~/.cache/meshup`. */
export function cacheDir(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "meshup");
}
