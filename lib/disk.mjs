/**
 * A disk that is full, or that may not be written to: said in one line, with the folder. Plain JavaScript, since what
 * installs and builds the rest needs it too.
 */
import { accessSync, chmodSync, constants, existsSync, mkdirSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";

const reasons = {
  ENOSPC: "its disk is full: free some space",
  EDQUOT: "your quota of its disk is used up: free some space",
  EROFS: "its disk is read-only: use another folder",
  EACCES: "you have no permission: change that",
  EPERM: "you have no permission: change that",
};

/** What other programs say in place of a code. */
const words = [
  [/no space left on device|\bENOSPC\b|not enough (free )?(disk )?space|insufficient space/i, "ENOSPC"],
  [/disk quota exceeded|\bEDQUOT\b/i, "EDQUOT"],
  [/read-only file ?system|\bEROFS\b/i, "EROFS"],
];

/** Runs `work`; an error of the file system gets the path, which Node leaves out where it was writing. */
export function withPath(path, work) {
  try {
    return work();
  } catch (error) {
    throw addPath(error, path);
  }
}

/** As `withPath`, for work that takes its time. */
export async function withPathAsync(path, work) {
  try {
    return await work();
  } catch (error) {
    throw addPath(error, path);
  }
}

function addPath(error, path) {
  if (error instanceof Error && error.code in reasons && !error.path) error.path = path;
  return error;
}

/** Makes a folder that nobody else can look into; one that is there becomes so, if it is ours. */
export function makePrivateFolder(path) {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { mode, uid } = statSync(path);
  if ((mode & 0o077) === 0 || uid !== process.getuid?.()) return;
  try {
    chmodSync(path, 0o700);
  } catch (error) {
    if (error.code !== "EROFS") throw error;
  }
}

/**
 * What a person can mend of an error of the file system; undefined for any other error.
 * `/home/me/meshup/.meshup cannot be written to: its disk is full: free some space, and run the command again (ENOSPC).`
 */
export function diskProblem(error) {
  if (!(error instanceof Error) || !(error.code in reasons)) return undefined;
  const place = error.dest ?? error.path;
  if (place === undefined) return undefined;
  return isUnreadable(error, place)
    ? `${place} cannot be read: ${reasons[error.code]}, and run the command again (${error.code}).`
    : sentence(folderOf(place), error.code);
}

/**
 * The same of what another program has said: pip, Go, npm, the engine.
 * @param folders where it was writing, as far as we know: the first that is full, or not to be written to, is named
 */
export function diskProblemIn(text, folders) {
  const code = words.find(([pattern]) => pattern.test(text))?.[1];
  if (code === undefined) return undefined;
  const there = folders.map(folderOf);
  return sentence(there.find(code === "EROFS" ? isReadOnly : isFull) ?? there[0], code);
}

/** The same where nothing has been said yet, and a folder's disk is full. */
export function fullDisk(folder) {
  const there = folderOf(folder);
  return isFull(there) ? sentence(there, "ENOSPC") : undefined;
}

/** What of a text is such a sentence, each once. */
export function diskProblemsSaid(text) {
  return [...new Set(text.match(/\/\S.*? cannot be written to: .*?\(E[A-Z]+\)\./g) ?? [])];
}

function sentence(folder, code) {
  return `${folder} cannot be written to: ${reasons[code]}, and run the command again (${code}).`;
}

function isUnreadable({ code, syscall }, place) {
  if (!["EACCES", "EPERM"].includes(code) || !["open", "scandir", "read", "stat", "lstat"].includes(syscall))
    return false;
  try {
    accessSync(place, constants.R_OK);
    return false;
  } catch {
    return existsSync(place);
  }
}

/** The path itself where it is a folder, else the nearest folder above it that is there. */
function folderOf(path) {
  for (let folder = path; ; folder = dirname(folder))
    if (folder === dirname(folder) || statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
}

/** Whether less is left than anything needs. */
function isFull(folder) {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < 1024 * 1024;
}

function isReadOnly(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return false;
  } catch {
    return true;
  }
}
