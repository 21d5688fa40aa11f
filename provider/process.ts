/** `meshup:local:Process`: a process that runs on after the `up` that started it. */
import { existsSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { cloneId, inThisClone } from "../lib/clone.ts";
import { messageOf, UserError } from "../lib/errors.ts";
import { makePrivateFolder, writeWhole } from "../lib/files.ts";
import { root } from "../lib/paths.ts";
import type { Ready } from "../process/control.ts";
import { missingOf, type Started, start, stop, waitReady } from "../process/control.ts";
import { withLock } from "../process/lock.ts";
import { deleteLog, isLost, needsCare, putAside } from "../process/log.ts";
import { isOurs, type OwnedProcess } from "../process/owner.ts";
import { assertPortsFree } from "../process/ports.ts";
import {
  commandHash,
  deleteRecord,
  type ProcessRecord,
  readRecord,
  recordsIn,
  writeRecord,
} from "../process/record.ts";
import type { Context, ResourceType } from "./resource.ts";

export interface ProcessInputs {
  /** Names its files; unique within `directory`. */
  name: string;
  /** Folder for `<name>.json` (the record of the process) and `<name>.log`. */
  directory: string;
  /** Program and arguments, run without a shell. */
  command: string[];
  /** Working directory. Default: the clone's folder. */
  workingDirectory?: string;
  /** Added to the part of the environment that is passed on, which has search paths but no secrets. */
  env?: Record<string, string>;
  /** Files that the command reads, text by path: written before it starts, deleted with it; a change restarts it. */
  files?: Record<string, string>;
  /** Ports on 127.0.0.1 that it listens on; each must be free before it starts. */
  ports: number[];
  /** By port: the configuration key that chooses it, for the message about a port in use. */
  portHints?: Record<string, string>;
  /** It is ready when this address answers 2xx, or when this port of 127.0.0.1 takes a connection. */
  ready: Ready;
  /** Milliseconds from start to ready; default 30 000. */
  readyTimeoutMs?: number;
  /** Milliseconds from SIGTERM to SIGKILL; default 5 000. */
  stopTimeoutMs?: number;
  /**
   * Limit in bytes for each file that it writes, mainly its log. Anything beyond is lost, and it runs on. Default: no
   * limit.
   */
  maxFileBytes?: number;
  /** Any text; a change restarts the process. For what the command reads only once: the digest of a source, a version. */
  triggers?: string[];
}

export interface ProcessOutputs {
  /** 0 when `pulumi refresh` has found it dead. */
  pid: number;
  /** Distinguishes it from earlier processes with the same pid (see `ProcessIdentity`). */
  startTime: string;
  bootId: string;
  /** The clone that started it. A copy of the clone does not touch it. Earlier versions recorded none. */
  clone?: string;
  /** Absolute path of the log: standard output and error. */
  log: string;
}

const defaultReadyTimeoutMs = 30_000;
const defaultStopTimeoutMs = 5_000;

type State = ProcessInputs & ProcessOutputs;

export const processType: ResourceType<ProcessInputs, ProcessOutputs> = {
  inputs: {
    name: "replace",
    directory: "replace",
    command: "update",
    workingDirectory: "update",
    env: "update",
    files: "update",
    ports: "update",
    portHints: "ignore",
    ready: "update",
    readyTimeoutMs: "ignore",
    stopTimeoutMs: "update",
    maxFileBytes: "update",
    triggers: "update",
  },
  id: ({ name }) => name,
  create: (inputs, context) => locked(inputs, () => run(inputs, context)),
  update: (olds, news, context) => locked(news, () => change(olds, news, context)),
  hasDrifted: async (olds) => {
    const { record: path, log } = pathsOf(olds);
    const record = readRecord(path);
    if (!isOurs(olds) || record?.pid !== olds.pid || record.state !== "ready" || needsCare(log)) return true;
    // A living process that does not answer gets the same time as a new one. It is restarted if it is still not ready.
    return (await missingOf(olds.ready, { timeoutMs: 2000 })) !== undefined;
  },
  read: async (state) => {
    const known = [readRecord(pathsOf(state).record), state];
    const living = known.find((one) => one && isOurs(one));
    // The process has ended, but its record and log must still be deleted. The next `up` starts it again.
    return outputs(living ?? { pid: 0, startTime: "", bootId: "" }, pathsOf(state).log);
  },
  // A moved clone has no files at its old path. No lock file must be created there.
  delete: (state) =>
    existsSync(resolve(root, inThisClone(state.directory))) ? locked(state, () => remove(state)) : remove(state),
};

async function remove(state: State): Promise<void> {
  const { record, log } = pathsOf(state);
  for (const one of [readRecord(record), state]) if (one && isOurs(one)) await stop(one, stopTimeout(state));
  deleteRecord(record);
  deleteLog(log);
  for (const path of Object.keys(state.files ?? {})) rmSync(resolve(root, inThisClone(path)), { force: true });
}

/**
 * Stops every process that has a record in a folder, and removes the records. For `destroy`: an `up` that was killed
 * halfway may have started a process that is not in Pulumi's state.
 * @returns the processes that were running
 */
export async function stopRecorded(directory: string): Promise<{ name: string; pid: number }[]> {
  const stopped: { name: string; pid: number }[] = [];
  for (const path of recordsIn(resolve(root, directory))) {
    const record = readRecord(path);
    if (record && isOurs(record)) {
      await stop(record, record.stopTimeoutMs ?? defaultStopTimeoutMs);
      stopped.push({ name: basename(path, ".json"), pid: record.pid });
    }
    deleteRecord(path);
  }
  return stopped;
}

/**
 * Brings the process up: takes over the recorded one when it lives, was started with the same command and is ready in
 * time; otherwise stops that and starts another.
 */
async function run(inputs: ProcessInputs, context: Waiting): Promise<ProcessOutputs> {
  const { name, command, workingDirectory, env = {}, ports, portHints, maxFileBytes } = inputs;
  const { record, log } = pathsOf(inputs);

  const recorded = readRecord(record);
  if (recorded && isOurs(recorded)) {
    if (await takeOver(inputs, recorded, context)) return outputs({ ...recorded, clone: cloneId() }, log);
    await stop(recorded, stopTimeout(inputs));
  }
  deleteRecord(record);
  await assertPortsFree(ports, portHints);

  writeFiles(inputs);
  const base = { commandHash: commandHash(inputs), ...kept(inputs) };
  const started = await start({
    name,
    command,
    workingDirectory: workingDirectory === undefined ? root : resolve(root, workingDirectory),
    env,
    log,
    maxFileBytes,
    onSpawn: (identity) => writeRecord(record, { ...identity, ...base, state: "starting" }),
  });
  try {
    await untilReady(inputs, started, context);
  } catch (error) {
    await stop(started.identity, stopTimeout(inputs));
    deleteRecord(record);
    throw error;
  }
  writeRecord(record, { ...started.identity, ...base, state: "ready" });
  return outputs({ ...started.identity, clone: base.clone }, log);
}

type Waiting = Pick<Context, "signal" | "say">;

function untilReady(inputs: ProcessInputs, started: Started, { signal, say }: Waiting): Promise<void> {
  const { name, ready, readyTimeoutMs: timeoutMs = defaultReadyTimeoutMs } = inputs;
  return waitReady(name, started, { ready, timeoutMs, signal, say });
}

/** Tells whether the living process `recorded` matches `inputs`. Rotates its log if it is long. */
async function takeOver(inputs: ProcessInputs, recorded: ProcessRecord, context: Waiting): Promise<boolean> {
  const { record, log } = pathsOf(inputs);
  if (recorded.commandHash !== commandHash(inputs) || isLost(log)) return false;
  putAside(log);
  const found: Started = { identity: recorded, log: { path: log, offset: 0 }, exit: () => undefined };
  try {
    await untilReady(inputs, found, context);
  } catch {
    context.signal.throwIfAborted();
    return false;
  }
  writeRecord(record, { ...recorded, ...kept(inputs), state: "ready" });
  return true;
}

/**
 * Old one out, new one in: they want the same ports. What can be found wrong beforehand leaves the old one running;
 * when the new one does not get ready, the old command is started again, so that a bad change does not end the service.
 * Pulumi's state keeps the old inputs then, and the next `up` tries the new ones again.
 */
async function change(olds: State, news: ProcessInputs, context: Context): Promise<ProcessOutputs> {
  const recorded = readRecord(pathsOf(olds).record);
  const ran = [recorded, olds].find((one) => one && isOurs(one));
  if (!ran || commandHash(olds) === commandHash(news)) {
    // Only the state knows of it: somebody has deleted its files. A new one has a record and a log.
    if (ran && ran !== recorded) await stop(ran, stopTimeout(olds));
    return run(news, context);
  }

  await assertPortsFree(
    news.ports.filter((port) => !olds.ports.includes(port)),
    news.portHints,
  );
  try {
    await stop(ran, stopTimeout(olds));
    return await run(news, context);
  } catch (error) {
    const outcome = await run(olds, { ...context, signal: new AbortController().signal }).then(
      () => "It runs again as it was before the change.",
      (again) => `What ran before the change does not start any more either: ${messageOf(again)}`,
    );
    throw error instanceof UserError ? new UserError(`${error.message}\n${outcome}`) : error;
  }
}

/** The parts that commands show, check, and need to stop the process. */
const kept = (inputs: ProcessInputs) => ({
  clone: cloneId(),
  stopTimeoutMs: stopTimeout(inputs),
  ports: inputs.ports,
  ...("url" in inputs.ready && { readyUrl: inputs.ready.url }),
});

function locked<T>(inputs: ProcessInputs, work: () => Promise<T>): Promise<T> {
  const { readyTimeoutMs = defaultReadyTimeoutMs } = inputs;
  makePrivateFolder(dirname(pathsOf(inputs).lock)); // logs may have secrets
  return withLock(pathsOf(inputs).lock, work, 3 * readyTimeoutMs + 2 * stopTimeout(inputs) + 30_000);
}

function pathsOf({ name, directory }: ProcessInputs): { record: string; log: string; lock: string } {
  const path = join(resolve(root, inThisClone(directory)), name);
  return { record: `${path}.json`, log: `${path}.log`, lock: `${path}.lock` };
}

function writeFiles({ files = {} }: ProcessInputs): void {
  for (const [name, text] of Object.entries(files)) {
    const path = resolve(root, name);
    writeWhole(path, text, 0o600);
  }
}

function stopTimeout({ stopTimeoutMs = defaultStopTimeoutMs }: ProcessInputs): number {
  return stopTimeoutMs;
}

function outputs({ pid, startTime, bootId, clone = cloneId() }: OwnedProcess, log: string): ProcessOutputs {
  return { pid, startTime, bootId, clone, log };
}
