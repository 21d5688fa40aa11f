import { accessSync, constants, mkdirSync } from "node:fs";
import { messageOf, UserError } from "./errors.ts";

/** The cache cannot be written. */
export class CacheError extends UserError {}

/**
 * Makes a folder of the cache, with those above it.
 * @param otherwise what a person can do who has no place for a cache: `install …`
 * @throws CacheError when it cannot be made, or not be written to: HOME is somebody else's, a disk is read-only
 */
export function makeCacheFolder(folder: string, otherwise: string): string {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch (error) {
    throw new CacheError(
      `The cache folder ${folder} cannot be written to (${messageOf(error)}): set XDG_CACHE_HOME to a folder of yours, or ${otherwise}.`,
    );
  }
}
