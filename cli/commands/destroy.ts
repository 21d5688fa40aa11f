import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { clusterInspectors } from "../../components/cluster/index.ts";
import { runsInCluster } from "../../components/mesh/inspectors.ts";
import { isDiskFull, mendable, messageOf, UserError } from "../../lib/errors.ts";
import { cacheDir, root, stackDir, stateDir } from "../../lib/paths.ts";
import { stopRecorded } from "../../provider/process.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { passphrasePath } from "../stack/backend.ts";
import {
  hasSecrets,
  prepareToTakeDown,
  requireStack,
  stackNames,
  type Workspace,
  workspaceDir,
} from "../stack/files.ts";
import { isElsewhere, requireRoom, takeStackOnAnyDisk } from "../stack/room.ts";
import { backendOf, cloneStateFiles, readStateFile, Stack } from "../stack/stack.ts";
import { destroy } from "../stack/update.ts";

/** `npm run destroy [-- STACK]`: takes the stack down, then what a run that was killed may have left. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  if (!isKnown(name)) requireStack(root, name);
  const { release, takenOver } = await takeStackOnAnyDisk(name, "destroy");
  let deleted: number | undefined;
  let stopped: string[];
  try {
    deleted = await takeDown(name, terminal, takenOver ? 20_000 : 0).catch((error) =>
      goByRecords(name, error, terminal),
    );
    stopped = await sweep(name, terminal);
    rmSync(workspaceDir(stateDir, name), { recursive: true, force: true });
  } finally {
    release();
  }
  const last = removeSharedFiles();
  const nothing = deleted === undefined && stopped.length === 0;
  if (nothing) terminal.print(`Nothing to take down: stack ${name} is not up.`);
  else terminal.print(`Stack ${name} is down${deleted === undefined ? "" : `: ${deleted} resources deleted`}.`);
  const left = last ? whatIsLeft() : [];
  if (last && !nothing)
    terminal.print(
      `Nothing is left but: ${left.join(", ")}, and the caches of npm, pip and, where the engine was built, Go.`,
    );
  terminal.document({ ok: true, stack: name, deleted: deleted ?? 0, stopped, left });
  return 0;
};

/** A stack whose file has gone from the clone can be taken down as long as anything here tells of it. */
function isKnown(name: string): boolean {
  return cloneStateFiles().has(name) || existsSync(stackDir(name));
}

/** Where the disk has no room for the engine's notes of what it deletes: on this machine the records tell all of it. */
function goByRecords(name: string, error: unknown, terminal: Terminal): undefined {
  const file = backendOf(name).kind === "clone" ? cloneStateFiles().get(name) : undefined;
  if (!isDiskFull(error) || file === undefined || isElsewhere(readStateFile(file))) throw error;
  terminal.note(`${mendable(error)?.message}\nGoing by the records of the processes, which takes no room`);
  removeState(file);
}

/** @returns how many resources were deleted; undefined when no state tells of the stack */
async function takeDown(name: string, terminal: Terminal, patienceMs: number): Promise<number | undefined> {
  const { kind } = backendOf(name);
  if (kind === "clone") {
    const file = cloneStateFiles().get(name);
    if (!file) return undefined;
    const state = readStateFile(file);
    if (!state) {
      dropBrokenState(name, file, terminal);
      return undefined;
    }
    requireRoom(name, state); // the engine would try again and again
  }
  const stack = await Stack.open(name, terminal, workspaceOf(name, terminal));
  await stack.unlock(patienceMs);
  if (kind === "person" && !(await stack.export())) return undefined;
  terminal.note(`Taking down stack ${name}`);
  const { changes } = await destroy(stack, terminal);
  await stack.remove();
  return changes.delete ?? 0;
}

/** What runs can be taken down whatever its files look like by now. */
function workspaceOf(name: string, terminal: Terminal): Workspace {
  return prepareToTakeDown(root, stateDir, name, (line) => terminal.note(line));
}

/** On this machine the process records tell what to take down; elsewhere only the state does. */
function dropBrokenState(name: string, file: string, terminal: Terminal): void {
  const where = relative(root, file);
  if (runsInCluster(workspaceOf(name, terminal).config["meshup:mesh"]))
    throw new UserError(
      `The state of stack ${name} cannot be read (${where}). The one before is ${where}.bak: put it in its place and run the command again.`,
    );
  terminal.note(`The state cannot be read (${where}): going by the records of the processes`);
  removeState(file);
}

/** With its copies. */
function removeState(file: string): void {
  for (const other of readdirSync(dirname(file)))
    if (other.startsWith(basename(file))) rmSync(join(dirname(file), other), { force: true });
}

/** Ends what still runs of the stack without the state knowing of it, then removes the stack's files. @returns their names */
async function sweep(name: string, terminal: Terminal): Promise<string[]> {
  const stopped = await stopRecorded(stackDir(name));
  for (const { name, pid } of stopped) terminal.note(`  stopped ${name} (pid ${pid})`);
  const removed = await removeContainers(name, terminal);
  for (const container of removed) terminal.note(`  removed the container ${container}`);
  rmSync(stackDir(name), { recursive: true, force: true });
  return [...stopped.map(({ name }) => name), ...removed];
}

/** A run that was killed while it made its cluster has left one that no state tells of. */
async function removeContainers(stack: string, terminal: Terminal): Promise<string[]> {
  const removed = (await clusterInspectors()).map((inspector) =>
    inspector.removeLeft(stack).catch((error) => {
      terminal.note(`What may be left of its cluster stays: ${messageOf(error)}`);
      return [];
    }),
  );
  return (await Promise.all(removed)).flat();
}

/** What stays in `.meshup` when its last stack has gone. */
const kept = ["engine.json", "install.lock", "passphrase-elsewhere"];

/** Stacks' files whose secrets are encrypted with the passphrase in the clone: it is all that can read them. */
function filesWithSecrets(): string[] {
  return stackNames(root)
    .map((name) => `Pulumi.${name}.yaml`)
    .filter((file) => hasSecrets(readFileSync(join(root, file), "utf8"), file));
}

/** Once no stack is left in the clone: state, passphrase, modules and all. @returns whether that was so */
function removeSharedFiles(): boolean {
  const stacks = join(stateDir, "stacks");
  const locks = join(stateDir, "locks");
  const others = [stacks, locks].flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  if (cloneStateFiles().size > 0 || others.length > 0 || !existsSync(stateDir)) return false;
  for (const entry of readdirSync(stateDir))
    if (!kept.includes(entry) && !(entry === "passphrase" && filesWithSecrets().length > 0))
      rmSync(join(stateDir, entry), { recursive: true, force: true });
  return true;
}

function whatIsLeft(): string[] {
  const here = ["node_modules", "build"].filter((folder) => existsSync(join(root, folder)));
  const passphrase = passphrasePath("clone", { stateDir });
  const key = existsSync(passphrase)
    ? [`${relative(root, passphrase)}, which the secrets in ${filesWithSecrets().join(", ")} are encrypted with`]
    : [];
  return [...here, ...key, ...[cacheDir()].filter(existsSync)];
}
