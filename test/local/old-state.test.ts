/** A stack that an earlier commit brought up, and what today's code makes of it. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { identify, isAlive, type ProcessIdentity } from "../../process/table.ts";
import { keptState } from "../kept-states.ts";
import { ScratchClone } from "./scratch-clone.ts";

/** The ports that the kept state has. */
const keptPorts = {
  gateway: 21000,
  admin: 21001,
  httpbin: 21100,
  "httpbin-two": 21200,
  echo: 21300,
  "bursting-metrics": 21400,
};

let clone: ScratchClone;
/** A process of the stack's that has lived on: httpbin-two, by the record that the earlier commit has written. */
let living: { child: ChildProcess; identity: ProcessIdentity };

beforeAll(async () => {
  clone = await ScratchClone.create();
  living = await liveOn(clone.ports["httpbin-two"], clone.folder);
  const state = Object.entries(keptPorts).reduce(
    (text, [name, port]) => text.replaceAll(String(port), String(clone.ports[name as keyof typeof keptPorts])),
    keptState("local", {
      CLONE: clone.folder,
      ENVOY: process.env.ENVOY_PATH as string,
      NODE: process.execPath,
      PYTHON: "/usr/bin/python3",
    }),
  );
  const deployment = JSON.parse(state) as {
    checkpoint: {
      latest: { resources: { type: string; inputs: { name: string }; outputs: Partial<ProcessIdentity> }[] };
    };
  };
  const stacks = join(clone.folder, ".meshup/stacks/local");
  await mkdir(stacks, { recursive: true });
  for (const { type, inputs, outputs } of deployment.checkpoint.latest.resources) {
    if (type !== "meshup:local:Process") continue;
    // The others have gone with the machine's last start.
    const { pid, startTime, bootId } = inputs.name === "httpbin-two" ? living.identity : (outputs as ProcessIdentity);
    Object.assign(outputs, { pid, startTime, bootId });
    const record = { pid, startTime, bootId, commandHash: "of-then", stopTimeoutMs: 5000, state: "ready" };
    await writeFile(join(stacks, `${inputs.name}.json`), JSON.stringify(record));
  }
  await writeFile(join(stacks, "backend"), "clone");
  const folder = join(clone.folder, ".meshup/state/.pulumi");
  await mkdir(join(folder, "stacks/meshup"), { recursive: true });
  await writeFile(join(folder, "meta.yaml"), "version: 1\n");
  await writeFile(join(folder, "stacks/meshup/local.json"), JSON.stringify(deployment));
});

afterAll(async () => {
  living?.child.kill("SIGKILL");
  await clone?.remove();
});

/** Answers 200 at a port, in a process group of its own, and in the clone's folder as every process. */
async function liveOn(port: number, cwd: string) {
  const program = `require("http").createServer((_, r) => r.end()).listen(${port}, "127.0.0.1", () => console.log("up"))`;
  const child = spawn(process.execPath, ["-e", program], { cwd, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  await once(child.stdout, "data");
  return { child, identity: identify(child.pid as number) as ProcessIdentity };
}

it("an up brings it forward: what has died is started again, what lives on is known, and every filter proves itself", async () => {
  const { ok, changes } = await clone.json<{ ok: boolean; changes: Record<string, number> }>(["start"]);
  expect(ok).toBe(true);
  expect(changes.delete ?? 0, "nothing of it is taken for another").toBe(0);
  const processes = await clone.processes();
  expect(Object.values(processes).map(({ alive }) => alive)).toEqual([true, true, true, true, true]);
  // Taken over, or ended and started again; either way its port is not held by a process that nobody knows of.
  expect(processes["httpbin-two"]?.pid === living.identity.pid || !isAlive(living.identity)).toBe(true);
  expect((await clone.run(["start"])).stdout).toMatch(/Nothing to change/);
});

it("and destroy takes all of it down", async () => {
  const { code, stdout, stderr } = await clone.run(["destroy"]);
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/Stack local is down/);
  expect(isAlive(living.identity)).toBe(false);
});
