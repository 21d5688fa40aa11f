/** `meshup:local:Process`: a process that outlives the `up` which started it. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { messageOf, UserError } from "../lib/errors.ts";
import { httpRequest } from "../lib/http.ts";
import { root } from "../lib/paths.ts";
import { type Started, start, stop, waitReady } from "../process/control.ts";
import { withLock } from "../process/lock.ts";
import { deleteLog, isLost, needsCare, putAside } from "../process/log.ts";
import { assertPortsFree } from "../process/ports.ts";
import {
  commandHash,
  deleteRecord,
  type ProcessRecord,
  readRecord,
  recordsIn,
  writeRecord,
} from "../process/record.ts";
import { isAlive, type ProcessIdentity } from "../process/table.ts";
import type { Context, ResourceType } from "./resource.ts";
import type { ProcessInputs, ProcessOutputs } from "./types.ts";

const defaultReadyTimeoutMs = 30_000;
const defaultStopTimeoutMs = 5_000;

type State = ProcessInputs & ProcessOutputs;

export const processType: ResourceType<ProcessInputs, ProcessOutputs> = {
  inputs: {
    name: "replace",
    directory: "replace",
    command: "update",
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
    if (!isAlive(olds) || record?.pid !== olds.pid || record.state !== "ready" || needsCare(log)) return true;
    // One that lives and does not answer is waited for as when it was started, and started anew if that does not help.
    const answer = await httpRequest({ url: olds.ready.url, timeoutMs: 2000 }).catch(() => undefined);
    return answer === undefined || answer.status < 200 || answer.status >= 300;
  },
  read: async (state) => {
    const known = [readRecord(pathsOf(state).record), state];
    const living = known.find((identity) => identity && isAlive(identity));
    const { pid, startTime, bootId } = living ?? { pid: 0, startTime: "", bootId: "" };
    // Dead, but not gone: its record and log are still to be deleted. The next `up` starts it again.
    return { pid, startTime, bootId, log: pathsOf(state).log };
  },
  delete: (state) =>
    locked(state, async () => {
      const { record, log } = pathsOf(state);
      for (const identity of [readRecord(record), state]) if (identity) await stop(identity, stopTimeout(state));
      deleteRecord(record);
      deleteLog(log);
      for (const path of Object.keys(state.files ?? {})) rmSync(resolve(root, path), { force: true });
    }),
};

/**
 * Stops every process that has a record in a folder, and removes the records. For `destroy`: an `up` that was killed
 * half-way may have started one that Pulumi's state knows nothing of.
 * @returns those that ran.
 */
export async function stopRecorded(directory: string): Promise<{ name: string; pid: number }[]> {
  const stopped: { name: string; pid: number }[] = [];
  for (const path of recordsIn(resolve(root, directory))) {
    const record = readRecord(path);
    if (record && isAlive(record)) {
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
  const { name, command, env = {}, ports, portHints, maxFileBytes } = inputs;
  const { record, log } = pathsOf(inputs);

  const recorded = readRecord(record);
  if (recorded && isAlive(recorded)) {
    if (await takeOver(inputs, recorded, context)) return outputs(recorded, log);
    await stop(recorded, stopTimeout(inputs));
  }
  deleteRecord(record);
  await assertPortsFree(ports, portHints);

  writeFiles(inputs);
  const base = { commandHash: commandHash(inputs), stopTimeoutMs: stopTimeout(inputs), ...shown(inputs) };
  const started = await start({
    name,
    command,
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
  return outputs(started.identity, log);
}

type Waiting = Pick<Context, "signal" | "say">;

function untilReady(inputs: ProcessInputs, started: Started, { signal, say }: Waiting): Promise<void> {
  const { name, ready, readyTimeoutMs: timeoutMs = defaultReadyTimeoutMs } = inputs;
  return waitReady(name, started, { url: ready.url, timeoutMs, signal, say });
}

/** Whether the living process `recorded` is what `inputs` ask for. Its log, where it is long, begins anew. */
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
  writeRecord(record, { ...recorded, stopTimeoutMs: stopTimeout(inputs), ...shown(inputs), state: "ready" });
  return true;
}

/**
 * Old one out, new one in: they want the same ports. What can be found wrong beforehand leaves the old one running;
 * when the new one does not get ready, the old command is started again, so that a bad change does not end the service.
 * Pulumi's state keeps the old inputs then, and the next `up` tries the new ones again.
 */
async function change(olds: State, news: ProcessInputs, context: Context): Promise<ProcessOutputs> {
  const recorded = readRecord(pathsOf(olds).record);
  const ran = [recorded, olds].find((identity) => identity && isAlive(identity));
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

/** What of it commands show, and ask. */
const shown = ({ ports, ready }: ProcessInputs) => ({ ports, readyUrl: ready.url });

function locked<T>(inputs: ProcessInputs, work: () => Promise<T>): Promise<T> {
  const { readyTimeoutMs = defaultReadyTimeoutMs } = inputs;
  return withLock(pathsOf(inputs).lock, work, 3 * readyTimeoutMs + 2 * stopTimeout(inputs) + 30_000);
}

function pathsOf({ name, directory }: ProcessInputs): { record: string; log: string; lock: string } {
  const path = join(resolve(root, directory), name);
  return { record: `${path}.json`, log: `${path}.log`, lock: `${path}.lock` };
}

function writeFiles({ files = {} }: ProcessInputs): void {
  for (const [name, text] of Object.entries(files)) {
    const path = resolve(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }
}

function stopTimeout({ stopTimeoutMs = defaultStopTimeoutMs }: ProcessInputs): number {
  return stopTimeoutMs;
}

function outputs({ pid, startTime, bootId }: ProcessIdentity, log: string): ProcessOutputs {
  return { pid, startTime, bootId, log };
}
