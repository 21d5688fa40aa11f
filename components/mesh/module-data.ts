import { readFileSync } from "node:fs";
import { UserError } from "../../lib/errors.ts";

/** The most bytes of a module: Kubernetes takes 1 MiB for all of a ConfigMap, in base64. */
export const mostBytes = Math.floor((1_048_576 - 4096) * 0.75);

/** Its name in a ConfigMap, in a proxy and on a server. */
export const moduleFileName = (digest: string) => `${digest}.wasm`;

/**
 * A ConfigMap's `binaryData` with a module in it.
 * @param filter that it is for, as it is declared
 * @throws UserError when the module is too large
 */
export function moduleData(filter: string, { file, digest }: { file: string; digest: string }): Record<string, string> {
  const bytes = readFileSync(file);
  if (bytes.length > mostBytes)
    throw new UserError(
      `filter "${filter}": its module has ${bytes.length} bytes, and a ConfigMap takes ${mostBytes} (1 MiB in base64): choose delivery image`,
    );
  return { [moduleFileName(digest)]: bytes.toString("base64") };
}
