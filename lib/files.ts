/** Writing files whole or not at all, and saying plainly where that cannot be. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { withPath } from "./disk.mjs";

export { makePrivateFolder } from "./disk.mjs";

let written = 0;

/**
 * Writes a file so that whoever reads it sees the old content or the new, never half of it; makes its folder.
 * @param mode of the file: 0o600 for what nobody else is to read
 * @throws an error of the file system that has the path (see `diskProblem`); nothing of it is left
 */
export function writeWhole(path: string, content: string | Uint8Array, mode = 0o666): void {
  const beside = join(dirname(path), `.${basename(path)}.${process.pid}.${written++}.tmp`);
  withPath(path, () => {
    mkdirSync(dirname(path), { recursive: true });
    try {
      writeFileSync(beside, content, { mode });
      renameSync(beside, path);
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    }
  });
}
