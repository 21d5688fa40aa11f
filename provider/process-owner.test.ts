import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { root, stateDir } from "../lib/paths.ts";
import { commandHash, readRecord, writeRecord } from "../process/record.ts";
import { identify, isAlive, type ProcessIdentity } from "../process/table.ts";
import type { ProcessInputs } from "./process.ts";
import { processType, stopRecorded } from "./process.ts";
import {
  answer,
  context,
  create,
  destroy,
  drifted,
  inputsFor,
  providerFile,
  recordOf,
  serverFile,
  stranger,
} from "./testing/processes.ts";
import { scratch } from "./testing/scratch.ts";

test.each([
  ["its pid was given to another", (pid: number) => ({ ...identify(pid), pid, startTime: "12345" })],
  ["the machine was restarted", (pid: number) => ({ ...identify(pid), pid, bootId: "an earlier boot" })],
])("no other process is signalled: %s", async (_, forge) => {
  const inputs = await inputsFor();
  const pid = await stranger();
  const forged = { startTime: "", bootId: "", ...forge(pid) };
  writeRecord(recordOf(inputs), { ...forged, commandHash: "", state: "ready", stopTimeoutMs: 100 });
  const state = { ...inputs, ...forged, log: "" };
  expect(await drifted(state)).toBe(true);
  expect(await processType.read?.(state, context)).toMatchObject({ pid: 0 });

  await destroy(state);
  expect(identify(pid)).toBeDefined();
  expect(existsSync(recordOf(inputs))).toBe(false);

  writeRecord(recordOf(inputs), { ...forged, commandHash: "", state: "ready", stopTimeoutMs: 100 });
  expect(await stopRecorded(inputs.directory)).toEqual([]);
  const started = await processType.update(state, inputs, context);
  expect(started.pid).not.toBe(pid);
  expect(identify(pid)).toBeDefined();
});

test("a record that was lost: the state's process is found and ended", async () => {
  const inputs = await inputsFor();
  const outputs = await create(inputs);
  writeFileSync(recordOf(inputs), '{"pid": '); // cut short
  expect(await drifted({ ...inputs, ...outputs })).toBe(true);
  const again = await processType.update({ ...inputs, ...outputs }, inputs, context);
  expect(isAlive(outputs)).toBe(false);
  expect((await answer(inputs.url)).pid).toBe(again.pid);
  writeFileSync(recordOf(inputs), "");
  await destroy({ ...inputs, ...again });
  expect(isAlive(again)).toBe(false);
});

test("two creates at once make one process", async () => {
  const inputs = await inputsFor("slow");
  const [one, two] = await Promise.all([create(inputs), create(inputs)]);
  expect(one).toEqual(two);
});

function provider(order: string, inputs: ProcessInputs) {
  const args = ["--import", "tsx", providerFile, order, JSON.stringify(inputs)];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  child.stdout.on("data", (data) => {
    stdout += data;
  });
  const ended = once(child, "close").then(() => stdout);
  return { child, ended };
}

async function recorded(inputs: ProcessInputs) {
  for (let i = 0; i < 500; i++) {
    const record = readRecord(recordOf(inputs));
    if (record) return record;
    await sleep(20);
  }
  throw new Error("no record was written");
}

/** What a provider has recorded that is killed while it waits for its process. */
async function killedWhileItWaits(inputs: ProcessInputs) {
  const { child, ended } = provider("create", inputs);
  const record = await recorded(inputs);
  child.kill("SIGKILL");
  await ended;
  return record;
}

test("it outlives the provider", async () => {
  const inputs = await inputsFor();
  const outputs = JSON.parse(await provider("create", inputs).ended);
  expect(isAlive(outputs)).toBe(true);
  expect((await answer(inputs.url)).pid).toBe(outputs.pid);
});

test("two providers at once make one process", async () => {
  const inputs = await inputsFor("slow");
  const both = await Promise.all([provider("create", inputs).ended, provider("create", inputs).ended]);
  expect(JSON.parse(both[0])).toEqual(JSON.parse(both[1]));
});

test("a provider killed while it waits leaves no orphan: the next create takes its process over", async () => {
  const inputs = await inputsFor("slow");
  const record = await killedWhileItWaits(inputs);
  expect(record.state).toBe("starting");
  expect((await create(inputs)).pid).toBe(record.pid);
});

test("… and stops it first where the command has changed since", async () => {
  const inputs = await inputsFor("slow");
  const record = await killedWhileItWaits(inputs);
  const outputs = await create({ ...inputs, triggers: ["new"] });
  expect(outputs.pid).not.toBe(record.pid);
  expect(isAlive(record)).toBe(false);
});

test("a provider killed before it could record a process: that one never runs its program", async () => {
  const inputs = await inputsFor();
  mkdirSync(inputs.directory, { recursive: true });
  const pid = Number(await provider("die-unrecorded", inputs).ended);
  expect(pid).toBeGreaterThan(0);
  for (let i = 0; i < 100 && identify(pid); i++) await sleep(20);
  expect(identify(pid)).toBeUndefined();
  expect(readFileSync(join(inputs.directory, "server.log"), "utf8")).not.toContain("listening");
});

test.each([
  ["by its record", { clone: "1:1" }],
  ["of an earlier version, by where it works", {}],
])("another clone's process is neither signalled nor taken over: %s", async (_how, mark) => {
  const inputs = await inputsFor();
  const child = spawn(process.execPath, [serverFile, String(inputs.port)], { cwd: scratch(), stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await expect.poll(() => answer(inputs.url).catch(() => undefined), { timeout: 20_000 }).toBeDefined();
  const identity = { ...identify(child.pid as number), ...mark } as ProcessIdentity;
  const copied = { ...identity, commandHash: commandHash(inputs), state: "ready" as const, stopTimeoutMs: 100 };
  const state = { ...inputs, ...identity, log: "" };

  writeRecord(recordOf(inputs), copied);
  expect(await drifted(state)).toBe(true);
  expect(await processType.read?.(state, context)).toMatchObject({ pid: 0 });
  const update = processType.update(state, { ...inputs, triggers: ["new"] }, context);
  await expect(update).rejects.toThrow(`port ${inputs.port} is in use by`);
  writeRecord(recordOf(inputs), copied);
  await expect(create(inputs)).rejects.toThrow(`port ${inputs.port} is in use by`);
  writeRecord(recordOf(inputs), copied);
  expect(await stopRecorded(inputs.directory)).toEqual([]);
  writeRecord(recordOf(inputs), copied);
  await destroy(state);
  expect(existsSync(recordOf(inputs))).toBe(false);
  expect((await answer(inputs.url)).pid).toBe(child.pid);
});

test("what a clone has started is its own after a move, though the state names the old place", async () => {
  mkdirSync(join(stateDir, "tmp"), { recursive: true });
  const directory = mkdtempSync(join(stateDir, "tmp", "moved-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "server.conf");
  const inputs = await inputsFor("", { directory, files: { [file]: "" } });
  const outputs = await create(inputs);
  const old = (path: string) => path.replace(root, "/nowhere/clone");
  await destroy({
    ...inputs,
    ...outputs,
    directory: old(directory),
    files: { [old(file)]: "" },
    log: old(outputs.log),
  });
  expect(isAlive(outputs)).toBe(false);
  expect(readdirSync(directory)).toEqual([]);
  expect(existsSync("/nowhere")).toBe(false);
});

test("stopRecorded ends what the state knows nothing of", async () => {
  const inputs = await inputsFor();
  const outputs = await create(inputs);
  expect(await stopRecorded(inputs.directory)).toEqual([{ name: "server", pid: outputs.pid }]);
  expect(isAlive(outputs)).toBe(false);
  expect(await stopRecorded(join(inputs.directory, "none"))).toEqual([]);
});
