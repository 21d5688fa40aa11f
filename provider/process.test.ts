import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import { UserError } from "../lib/errors.ts";
import { stop } from "../process/control.ts";
import { readRecord } from "../process/record.ts";
import { identify, isAlive } from "../process/table.ts";
import { freePort } from "../test/ports.ts";
import { processType } from "./process.ts";
import {
  answer,
  context,
  create,
  destroy,
  drifted,
  inputsFor,
  listen,
  recordOf,
  serverFile,
} from "./testing/processes.ts";
import { scratch } from "./testing/scratch.ts";

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
