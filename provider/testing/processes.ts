/** Processes for the tests of provider/process.ts, in folders and at ports of their own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { httpRequest } from "../../lib/http.ts";
import { freePort } from "../../test/ports.ts";
import type { ProcessInputs, ProcessOutputs } from "../process.ts";
import { processType, stopRecorded } from "../process.ts";
import type { Context } from "../resource.ts";
import { scratch } from "./scratch.ts";

export const context: Context = { signal: new AbortController().signal, env: process.env };
export const serverFile = fileURLToPath(new URL("server.mjs", import.meta.url));
export const providerFile = fileURLToPath(new URL("provider.ts", import.meta.url));

/** Inputs for the test server; whatever they start is stopped when the test ends. */
export async function inputsFor(
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

export const listen = "require('net').createServer().listen";
export const create = (inputs: ProcessInputs) => processType.create(inputs, context);
export const destroy = (state: ProcessInputs & ProcessOutputs) => processType.delete?.(state, context);
export const drifted = (state: ProcessInputs & ProcessOutputs) => processType.hasDrifted?.(state, state, context);
export const answer = async (url: string) =>
  JSON.parse((await httpRequest({ url })).body) as { pid: number; env: object };
export const recordOf = ({ directory, name }: ProcessInputs) => join(directory, `${name}.json`);

/** A process that is none of ours. */
export async function stranger(): Promise<number> {
  const child = spawn("sleep", ["60"], { stdio: "ignore", detached: true });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  return child.pid as number;
}
