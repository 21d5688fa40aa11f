import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { clusterInspectors } from "../../components/cluster/index.ts";
import { runsInCluster } from "../../components/mesh/inspectors.ts";
import { fullDisk } from "../../lib/disk.mjs";
import { DiskError, mendable, messageOf, UserError } from "../../lib/errors.ts";
import { cacheDir, root, stackDir, stateDir } from "../../lib/paths.ts";
import { stopRecorded } from "../../provider/process.ts";
import type { Terminal } from "../output/terminal.ts";
import type { Run } from "../run.ts";
import { prepareToTakeDown, requireStack, type Workspace, workspaceDir } from "../stack/files.ts";
import { takeStack } from "../stack/locks.ts";
import { backendOf, cloneStateFiles, type Deployment, readStateFile, runLock, Stack } from "../stack/stack.ts";
import { destroy } from "../stack/update.ts";

/** `npm run destroy [-- STACK]`: takes the stack down, then what a run that was killed may have left. */
export const run: Run = async ({ positionals: [name = "local"] }, terminal) => {
  if (!isKnown(name)) requireStack(root, name);
  const { release, takenOver } = await takeStackOnAnyDisk(name);
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

/** On a full disk what nobody needs makes room; where that is not enough, it goes without a lock, which nobody could take. */
async function takeStackOnAnyDisk(name: string): Promise<Awaited<ReturnType<typeof takeStack>>> {
  try {
    return await takeStack(runLock(name), name, "destroy");
  } catch (error) {
    if (!isFull(error)) throw error;
    makeRoom(name);
  }
  try {
    return await takeStack(runLock(name), name, "destroy");
  } catch (error) {
    if (!isFull(error)) throw error;
    return { release: () => {}, takenOver: false };
  }
}

const isFull = (error: unknown) => /\((ENOSPC|EDQUOT)\)/.test(mendable(error)?.message ?? "");

/** Removes temporary files, what Pulumi keeps of earlier updates, and the older half of logs. */
function makeRoom(name: string): void {
  const backend = join(stateDir, "state", ".pulumi");
  const expendable = [
    ...["history", "backups"].map((folder) => join(backend, folder)),
    ...childrenOf(join(stateDir, "tmp")),
    ...childrenOf(stackDir(name)).filter((path) => path.endsWith(".log.1")),
  ];
  for (const path of expendable) rmSync(path, { recursive: true, force: true });
}

const childrenOf = (folder: string) =>
  existsSync(folder) ? readdirSync(folder).map((entry) => join(folder, entry)) : [];

/** Where the disk has no room for the engine's notes of what it deletes: on this machine the records tell all of it. */
function goByRecords(name: string, error: unknown, terminal: Terminal): undefined {
  const file = backendOf(name).kind === "clone" ? cloneStateFiles().get(name) : undefined;
  if (!isFull(error) || file === undefined || isElsewhere(readStateFile(file))) throw error;
  terminal.note(`${mendable(error)?.message}\nGoing by the records of the processes, which takes no room`);
  removeState(file);
}

/** Whether anything of the stack is not on this machine: only the engine can take that down. */
function isElsewhere(deployment: Deployment | undefined): boolean {
  const types = deployment?.resources?.map(({ type }) => type) ?? [];
  return types.some((type) => !/^(meshup|pulumi):/.test(type));
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
    if (fullDisk(stateDir) !== undefined) makeRoom(name);
    const full = fullDisk(stateDir);
    if (full !== undefined && !isElsewhere(state)) throw new DiskError(full); // the engine would try again and again
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

/** Once no stack is left in the clone: state, passphrase, modules and all. @returns whether that was so */
function removeSharedFiles(): boolean {
  const stacks = join(stateDir, "stacks");
  const locks = join(stateDir, "locks");
  const others = [stacks, locks].flatMap((folder) => (existsSync(folder) ? readdirSync(folder) : []));
  if (cloneStateFiles().size > 0 || others.length > 0 || !existsSync(stateDir)) return false;
  for (const entry of readdirSync(stateDir))
    if (!kept.includes(entry)) rmSync(join(stateDir, entry), { recursive: true, force: true });
  return true;
}

function whatIsLeft(): string[] {
  const here = ["node_modules", "build"].filter((folder) => existsSync(join(root, folder)));
  return [...here, ...[cacheDir()].filter(existsSync)];
}
