import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { UserError } from "../lib/errors.ts";
import { httpRequest } from "../lib/http.ts";
import { root, stateDir } from "../lib/paths.ts";
import { stop } from "../process/control.ts";
import { longLogBytes } from "../process/log.ts";
import { commandHash, readRecord, writeRecord } from "../process/record.ts";
import { identify, isAlive, type ProcessIdentity } from "../process/table.ts";
import { freePort } from "../test/ports.ts";
import type { ProcessInputs, ProcessOutputs } from "./process.ts";
import { processType, stopRecorded } from "./process.ts";
import type { Context } from "./resource.ts";
import { scratch } from "./testing/scratch.ts";

const context: Context = { signal: new AbortController().signal, env: process.env };
const serverFile = fileURLToPath(new URL("testing/server.mjs", import.meta.url));
const providerFile = fileURLToPath(new URL("testing/provider.ts", import.meta.url));

/** Inputs for the test server; whatever they start is stopped when the test ends. */
async function inputsFor(
  mode = "",
  more: Partial<ProcessInputs> = {},
): Promise<ProcessInputs & { port: number; url: string }> {
  const directory = scratch();
  const port = await freePort();
  onTestFinished(async () => void (await stopRecorded(directory)));
  return {
    name: "server",
    directory,
    command: [process.execPath, serverFile, String(port), mode],
    ports: [port],
    ready: { url: `http://127.0.0.1:${port}/` },
    ...more,
    port,
    url: `http://127.0.0.1:${port}/`,
  };
}

const listen = "require('net').createServer().listen";
const create = (inputs: ProcessInputs) => processType.create(inputs, context);
const destroy = (state: ProcessInputs & ProcessOutputs) => processType.delete?.(state, context);
const drifted = (state: ProcessInputs & ProcessOutputs) => processType.hasDrifted?.(state, state, context);
const answer = async (url: string) => JSON.parse((await httpRequest({ url })).body) as { pid: number; env: object };
const recordOf = ({ directory, name }: ProcessInputs) => join(directory, `${name}.json`);

/** A process that is none of ours. */
async function stranger(): Promise<number> {
  const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  return child.pid as number;
}

test("one that lives and does not answer is waited for, and started anew when that does not help", async () => {
  const inputs = await inputsFor("", { readyTimeoutMs: 3000, stopTimeoutMs: 100 });
  const state = { ...inputs, ...(await create(inputs)) };
  process.kill(state.pid, "SIGSTOP");
  expect(await drifted(state)).toBe(true);
  const waited = processType.update(state, inputs, context);
  process.kill(state.pid, "SIGCONT");
  expect((await waited).pid).toBe(state.pid);
  expect(await drifted(state)).toBe(false);

  process.kill(state.pid, "SIGSTOP");
  expect((await processType.update(state, inputs, context)).pid).not.toBe(state.pid);
  expect(isAlive(state)).toBe(false);
});

test("create starts it in a session of its own, delete ends it and its files", async () => {
  const inputs = await inputsFor();
  const outputs = await create(inputs);
  expect((await answer(inputs.url)).pid).toBe(outputs.pid);
  expect(readFileSync(outputs.log, "utf8")).toContain("listening");
  expect(readRecord(recordOf(inputs))).toMatchObject({ pid: outputs.pid, state: "ready" });
  expect(await drifted({ ...inputs, ...outputs })).toBe(false);
  await destroy({ ...inputs, ...outputs });
  expect(isAlive(outputs)).toBe(false);
  expect(readdirSync(inputs.directory)).toEqual([]);
  await destroy({ ...inputs, ...outputs }); // and once more is no error
});

test("a program that needs a variable gets it, and the variables that are its own; the state's passphrase it does not", async () => {
  vi.stubEnv("PULUMI_CONFIG_PASSPHRASE", "not for services");
  vi.stubEnv("LD_LIBRARY_PATH", "/needed");
  onTestFinished(() => void vi.unstubAllEnvs());
  const inputs = await inputsFor("", { env: { COLOUR: "blue" } });
  await create(inputs);
  const { env } = await answer(inputs.url);
  expect(env).toMatchObject({ COLOUR: "blue", PATH: process.env.PATH, LD_LIBRARY_PATH: "/needed" });
  expect(env).not.toHaveProperty("PULUMI_CONFIG_PASSPHRASE");
});

test("its files are written before it starts and deleted with it", async () => {
  const inputs = await inputsFor();
  const file = join(inputs.directory, "etc", "server.conf");
  const state = { ...inputs, files: { [file]: "one" } };
  const outputs = await create(state);
  expect(readFileSync(file, "utf8")).toBe("one");
  const changed = { ...state, files: { [file]: "two" } };
  const after = await processType.update({ ...state, ...outputs }, changed, context);
  expect(readFileSync(file, "utf8")).toBe("two");
  expect(after.pid).not.toBe(outputs.pid);
  await destroy({ ...changed, ...after });
  expect(existsSync(file)).toBe(false);
});

test("one that was killed is noticed and started again", async () => {
  const inputs = await inputsFor();
  const outputs = await create(inputs);
  process.kill(outputs.pid, "SIGKILL");
  await sleep(100);
  const state = { ...inputs, ...outputs };
  expect(await drifted(state)).toBe(true);
  expect(await processType.read?.(state, context)).toMatchObject({ pid: 0 });
  const again = await processType.update(state, inputs, context);
  expect(again.pid).not.toBe(outputs.pid);
  expect((await answer(inputs.url)).pid).toBe(again.pid);
});

test("a changed command replaces the process; a changed timeout does not", async () => {
  const inputs = await inputsFor();
  const first = await create(inputs);
  const same = await processType.update({ ...inputs, ...first }, { ...inputs, readyTimeoutMs: 9000 }, context);
  expect(same.pid).toBe(first.pid);
  const changed = { ...inputs, triggers: ["another digest"] };
  const second = await processType.update({ ...inputs, ...first }, changed, context);
  expect(second.pid).not.toBe(first.pid);
  expect(isAlive(first)).toBe(false);
  expect((await answer(inputs.url)).pid).toBe(second.pid);
});

test("a change that does not start: its reason, and the old one runs again", async () => {
  const inputs = await inputsFor();
  const first = await create(inputs);
  const bad = { ...inputs, command: [process.execPath, serverFile, String(inputs.port), "exits"] };
  const update = processType.update({ ...inputs, ...first }, bad, context);
  await expect(update).rejects.toThrow(/error initializing configuration[\s\S]*runs again as it was before/);
  const { pid } = await answer(inputs.url);
  expect(pid).not.toBe(first.pid);
  expect(await drifted({ ...inputs, ...first })).toBe(true); // and so the next `up` takes it over:
  expect(await processType.update({ ...inputs, ...first }, inputs, context)).toMatchObject({ pid });
});

test("a readiness address that never answers: the old one runs on as before", async () => {
  const inputs = await inputsFor();
  const first = await create(inputs);
  const bad = { ...inputs, ready: { url: `http://127.0.0.1:${await freePort()}/` }, readyTimeoutMs: 300 };
  const update = processType.update({ ...inputs, ...first }, bad, context);
  await expect(update).rejects.toThrow(/gave ECONNREFUSED, not 2xx[\s\S]*runs again as it was before/);
  expect((await answer(inputs.url)).pid).toBeGreaterThan(0);
});

test("a change to a port in use leaves the old one untouched", async () => {
  const inputs = await inputsFor();
  const first = await create(inputs);
  const other = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const { port } = other.address() as { port: number };
  const update = processType.update({ ...inputs, ...first }, { ...inputs, ports: [inputs.port, port] }, context);
  await expect(update).rejects.toThrow(`port ${port} is in use`);
  expect((await answer(inputs.url)).pid).toBe(first.pid);
});

test("ports in use: all of them, by whom, and which key to change", async () => {
  const inputs = await inputsFor();
  const servers = [createServer(), createServer()];
  onTestFinished(() => servers.forEach((server) => void server.close()));
  for (const server of servers) await once(server.listen(0), "listening"); // on all addresses, ours included
  const [one, two] = servers.map((server) => (server.address() as { port: number }).port) as [number, number];
  const creating = create({ ...inputs, ports: [inputs.port, one, two], portHints: { [one]: "meshup:ports.one" } });
  await expect(creating).rejects.toThrow(UserError);
  const { message } = await creating.catch((error) => error);
  expect(message).toMatch(`port ${one} is in use by`);
  expect(message).toMatch(`(pid ${process.pid}): stop that process, or choose another port with meshup:ports.one`);
  expect(message).toMatch(`port ${two} is in use by`);
  expect(message).not.toMatch(String(inputs.port));
  expect(readdirSync(inputs.directory)).toEqual([]);
});

test("one that exits at once: how it ended, and its own words", async () => {
  const inputs = await inputsFor("exits");
  const { message } = await create(inputs).catch((error) => error);
  expect(message).toMatch("server exited with code 3 before it was ready");
  expect(message).toMatch("error initializing configuration: no such cluster");
  expect(message).toMatch("line 12");
  expect(message).not.toMatch("line 2\n");
  expect(existsSync(recordOf(inputs))).toBe(false);
});

test("the words of an earlier run are not quoted", async () => {
  const inputs = await inputsFor("exits");
  await create(inputs).catch(() => {});
  const again = { ...inputs, command: ["/bin/sh", "-c", "echo my own words; exit 1"] };
  const { message } = await create(again).catch((error) => error);
  expect(message).toMatch("my own words");
  expect(message).not.toMatch("no such cluster");
});

test("no such program", async () => {
  const inputs = await inputsFor("", { command: ["/no/such/program"] });
  await expect(create(inputs)).rejects.toThrow(/exited with code 127[\s\S]*\/no\/such\/program/);
});

test("one that never gets ready is stopped", async () => {
  const inputs = await inputsFor("never-ready", { readyTimeoutMs: 3000 });
  await expect(create(inputs)).rejects.toThrow(
    /was not ready within 3000 ms: .* gave status 503, not 2xx[\s\S]*listening/,
  );
  await expect(answer(inputs.url)).rejects.toThrow(/ECONN/);
  expect(existsSync(recordOf(inputs))).toBe(false);
});

test("ready when its port takes a connection, whatever it answers", async () => {
  const inputs = await inputsFor("never-ready");
  const ready = { ...inputs, ready: { port: inputs.port } };
  const outputs = await create(ready);
  expect(isAlive(outputs)).toBe(true);
  const again = await processType.update({ ...ready, ...outputs }, { ...ready, readyTimeoutMs: 1 }, context);
  expect(again.pid).toBe(outputs.pid);
});

test("it runs in a folder of its own, and a change of that is a restart", async () => {
  const folder = scratch();
  writeFileSync(join(folder, "where.mjs"), "import { cwd } from 'node:process'; console.log(cwd());");
  const inputs = await inputsFor("", { workingDirectory: folder });
  const command = ["sh", "-c", `"$0" where.mjs; exec "$@"`, process.execPath, ...inputs.command];
  const outputs = await create({ ...inputs, command });
  expect(readFileSync(outputs.log, "utf8")).toContain(`\n${folder}\n`);
  const elsewhere = { ...inputs, command: inputs.command, workingDirectory: scratch() };
  const moved = await processType.update({ ...inputs, command, ...outputs }, elsewhere, context);
  expect(moved.pid).not.toBe(outputs.pid);
});

test.each([
  ["elsewhere", "it listens on 127.0.0.1:"],
  ["nowhere", "it listens on no port"],
])("one that listens %s is told where it does, and stopped", async (mode, says) => {
  const inputs = await inputsFor();
  const other = mode === "elsewhere" ? await freePort() : undefined;
  const program = other === undefined ? "setInterval(() => {}, 1000)" : `${listen}(${other}, "127.0.0.1")`;
  // Its children count, too.
  const command = ["sh", "-c", '"$0" -e "$1"; true', process.execPath, program];
  const tried = { ...inputs, command, ready: { port: inputs.port }, readyTimeoutMs: 1500 };
  const creating = create(tried);
  await expect(creating).rejects.toThrow(`nothing listens on 127.0.0.1:${inputs.port}; ${says}${other ?? ""}\n`);
  expect(readdirSync(inputs.directory)).toEqual(["server.log"]);
  await expect(create({ ...tried, ready: { url: inputs.url } })).rejects.toThrow(`ECONNREFUSED, not 2xx; ${says}`);
});

test("cancelled while it starts: it is stopped", async () => {
  const inputs = await inputsFor("never-ready");
  const cancel = new AbortController();
  setTimeout(() => cancel.abort(), 300);
  await expect(processType.create(inputs, { ...context, signal: cancel.signal })).rejects.toThrow("cancelled");
  await expect(answer(inputs.url)).rejects.toThrow(/ECONN/);
});

test("one that ignores SIGTERM gets SIGKILL", async () => {
  const inputs = await inputsFor("ignores-sigterm", { stopTimeoutMs: 200 });
  const outputs = await create(inputs);
  const log = () => readFileSync(outputs.log, "utf8");
  await stop(outputs, 200);
  expect(log()).toContain("SIGTERM is not for me");
  expect(isAlive(outputs)).toBe(false);
});

test("what it forked ends with it", async () => {
  const inputs = await inputsFor("forks");
  const outputs = await create(inputs);
  const child = Number(readFileSync(outputs.log, "utf8").match(/child (\d+)/)?.[1]);
  expect(identify(child)).toBeDefined();
  await destroy({ ...inputs, ...outputs });
  expect(identify(child)).toBeUndefined();
});

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
  const { child, ended } = provider("create", inputs);
  const record = await recorded(inputs);
  child.kill("SIGKILL");
  await ended;
  expect(record.state).toBe("starting");
  expect((await create(inputs)).pid).toBe(record.pid);
});

test("… and stops it first where the command has changed since", async () => {
  const inputs = await inputsFor("slow");
  const { child, ended } = provider("create", inputs);
  const record = await recorded(inputs);
  child.kill("SIGKILL");
  await ended;
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
  await expect.poll(() => answer(inputs.url).catch(() => undefined)).toBeDefined();
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

test("a log that has grown long is put aside by the next up, and the process runs on", async () => {
  const inputs = await inputsFor();
  const outputs = await create(inputs);
  truncateSync(outputs.log, 3 * 1024 ** 3);
  expect(await drifted({ ...inputs, ...outputs })).toBe(true);
  const state = await processType.update({ ...inputs, ...outputs }, inputs, context);
  expect(state.pid).toBe(outputs.pid);
  expect(statSync(outputs.log).size).toBe(0);
  expect(statSync(`${outputs.log}.1`).size).toBe(longLogBytes);
  expect(await drifted({ ...inputs, ...state })).toBe(false);
  await destroy({ ...inputs, ...state });
  expect(readdirSync(inputs.directory)).toEqual([]);
});

test("one whose log was removed is started again, as nobody could read what it says", async () => {
  const inputs = await inputsFor();
  const outputs = await create(inputs);
  rmSync(outputs.log);
  expect(await drifted({ ...inputs, ...outputs })).toBe(true);
  const state = await processType.update({ ...inputs, ...outputs }, inputs, context);
  expect(state.pid).not.toBe(outputs.pid);
  expect(readFileSync(state.log, "utf8")).toContain("listening");
  expect(await drifted({ ...inputs, ...state })).toBe(false);
});

test("one that logs without end fills no disk, and runs on", async () => {
  const maxFileBytes = 1024 * 1024;
  const inputs = await inputsFor("storms", { maxFileBytes });
  const outputs = await create(inputs);
  expect(statSync(outputs.log).size).toBe(maxFileBytes);
  expect((await answer(inputs.url)).pid).toBe(outputs.pid);
});

test("what is waited for is said", async () => {
  const [said, stopping] = [[] as string[], new AbortController()];
  const inputs = await inputsFor("never-ready");
  const say = (text: string) => {
    said.push(text);
    stopping.abort();
  };
  const starting = processType.create(inputs, { ...context, signal: stopping.signal, say });
  await expect(starting).rejects.toThrow("cancelled before it was ready");
  expect(said).toEqual([
    expect.stringMatching(/^server \(pid \d+\) lives, but is not ready after \d+ s: .* status 503/),
  ]);
});

test("record and log are for this user only", async () => {
  const inputs = await inputsFor();
  const { log } = await create(inputs);
  expect(statSync(log).mode & 0o077).toBe(0);
  expect(statSync(recordOf(inputs)).mode & 0o077).toBe(0);
});
