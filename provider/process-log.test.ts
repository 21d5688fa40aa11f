import { readdirSync, readFileSync, rmSync, statSync, truncateSync } from "node:fs";
import { expect, test } from "vitest";
import { longLogBytes } from "../process/log.ts";
import { processType } from "./process.ts";
import { answer, context, create, destroy, drifted, inputsFor, recordOf } from "./testing/processes.ts";

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

test("record and log are for this user only", async () => {
  const inputs = await inputsFor();
  const { log } = await create(inputs);
  expect(statSync(log).mode & 0o077).toBe(0);
  expect(statSync(recordOf(inputs)).mode & 0o077).toBe(0);
});
