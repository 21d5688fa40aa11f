/** Writing files whole or not at all, and saying plainly where that cannot be. */
import { isUtf8 } from "node:buffer";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { withPath } from "./disk.mjs";
import { UserError } from "./errors.ts";

export { makePrivateFolder } from "./disk.mjs";

/**
 * A person's own file as text.
 * @throws UserError when it is in another encoding: what cannot be read would be other characters, or be written so
 */
export function readText(path: string): string {
  const bytes = readFileSync(path);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  const lines = bytes.toString("latin1").split("\n");
  const line = lines.findIndex((text) => !isUtf8(Buffer.from(text, "latin1"))) + 1;
  throw new UserError(`${path} is not UTF-8 (line ${line}): save it in that encoding.`);
}

let written = 0;

/**
 * Writes a file so that whoever reads it sees the old content or the new, never half of it; makes its folder.
 * @param mode of the file: 0o600 for what nobody else is to read
 * @throws an error of the file system that has the path (see `diskProblem`); nothing of it is left
 */
export function writeWhole(path: string, content: string | Uint8Array, mode = 0o666): void {
  const folder = dirname(path);
  const beside = join(folder, `.${basename(path)}.${process.pid}.${written++}.tmp`);
  withPath(path, () => {
    const made = mkdirSync(folder, { recursive: true });
    try {
      writeFileSync(beside, content, { mode });
      renameSync(beside, path);
    } catch (error) {
      removeQuietly(beside);
      if (made !== undefined) removeEmpty(folder, made);
      throw error;
    }
  });
}

/** After a failure, whose own error is the one to be told. */
function removeQuietly(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // it could not even be made
  }
}

/** Writes a file of the person's anew: it keeps its permissions, and a link goes on leading to it. */
export function rewrite(path: string, content: string): void {
  const real = realpathSync(path);
  const { mode } = statSync(real);
  writeWhole(real, content, mode & 0o777);
  chmodSync(real, mode & 0o777); // what it is made with is cut by the umask
}

/** Removes a folder, and those above it up to `top`, as far as there is nothing in them. */
export function removeEmpty(folder: string, top: string): void {
  try {
    for (let one = folder; one.startsWith(top); one = dirname(one)) rmdirSync(one);
  } catch {
    // somebody has put something there meanwhile
  }
}
