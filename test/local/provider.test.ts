import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { LocalWorkspace, type Stack } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { backendEnvironment, cloneBackendUrl } from "../../cli/stack/backend.ts";
import { httpRequest } from "../../lib/http.ts";
import { root } from "../../lib/paths.ts";
import { identify } from "../../process/table.ts";
import { stopRecorded } from "../../provider/process.ts";
import { Process, Proof } from "../../provider/resources.ts";
import { freePort } from "../ports.ts";

/** The provider as the engine starts and asks it: real engine, file backend, inline program. */

const folders: string[] = [];
let directory: string;
let port: number;
let url: string;

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), "meshup-engine-"));
  folders.push(folder);
  directory = join(folder, "stack");
  port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  onTestFinished(async () => void (await stopRecorded(directory)));
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

interface Service {
  mode?: string;
  /** Adds a Proof that the service answers with this header. */
  proof?: Record<string, string>;
}

function program({ mode = "", proof }: Service): () => Promise<{ pid: pulumi.Output<number> }> {
  return async () => {
    const service = new Process("service", {
      name: "service",
      directory,
      command: [process.execPath, join(root, "provider/testing/server.mjs"), String(port), mode],
      ports: [port],
      portHints: { [port]: "meshup:ports.service" },
      ready: { url },
      readyTimeoutMs: 10_000,
    });
    if (proof) {
      new Proof("service", {
        filter: "service",
        url,
        expect: proof,
        digest: "d",
        process: pulumi.interpolate`${service.pid}@${service.startTime}`,
        timeoutMs: 500,
      });
    }
    return { pid: service.pid };
  };
}

async function stackOf(run: () => Promise<Record<string, unknown>>): Promise<Stack> {
  const home = join(directory, "..");
  mkdirSync(join(home, "work"), { recursive: true });
  // The Automation API's own type of project settings knows no `plugins`; a file does. JSON is YAML.
  const plugins = { providers: [{ name: "meshup", path: join(root, "provider") }] };
  const project = { name: "provider-test", runtime: "nodejs", plugins };
  writeFileSync(join(home, "work", "Pulumi.yaml"), JSON.stringify(project));
  const args = { stackName: "test", projectName: project.name, program: run };
  // A backend and a PULUMI_HOME as `npm start` has them in a clone.
  const world = { env: process.env, home: homedir(), stateDir: home };
  const backend = { kind: "clone", url: cloneBackendUrl(world), reason: "", ownPassphrase: true } as const;
  return LocalWorkspace.createOrSelectStack(args, {
    workDir: join(home, "work"),
    envVars: { ...backendEnvironment(backend, world), PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
}

const up = async (service: Service = {}) => (await stackOf(program(service))).up();
const answeringPid = async () => JSON.parse((await httpRequest({ url })).body).pid as number;

test("create, nothing to do, killed, started again by a plain up, destroy", async () => {
  const created = await up();
  const pid = created.outputs.pid?.value;
  expect(await answeringPid()).toBe(pid);

  const again = await up();
  expect(again.summary.resourceChanges).toEqual({ same: 2 });

  process.kill(pid, "SIGKILL");
  const mended = await up();
  expect(mended.summary.resourceChanges).toEqual({ same: 1, update: 1 });
  expect(mended.outputs.pid?.value).not.toBe(pid);
  expect(await answeringPid()).toBe(mended.outputs.pid?.value);

  await (await stackOf(program({}))).destroy();
  expect(identify(mended.outputs.pid?.value)).toBeUndefined();
  await expect(httpRequest({ url })).rejects.toThrow("ECONNREFUSED");
  expect(existsSync(join(directory, "service.log"))).toBe(false);
});

test("refresh finds a dead one, and the up after it starts it", async () => {
  const { outputs } = await up();
  process.kill(outputs.pid?.value, "SIGKILL");
  const stack = await stackOf(program({}));
  await stack.refresh();
  const state = await stack.exportStack();
  const service = state.deployment.resources.find((r: { type: string }) => r.type === "meshup:local:Process");
  expect(service.outputs.pid).toBe(0);
  expect((await stack.up()).summary.resourceChanges).toMatchObject({ update: 1 });
  expect(await answeringPid()).toBeGreaterThan(0);
  await stack.destroy();
});

test("a preview of a changed command with a proof behind it: nothing crashes, nothing runs", async () => {
  const { outputs } = await up({});
  const preview = await (await stackOf(program({ mode: "slow", proof: { a: "1" } }))).preview();
  expect(preview.changeSummary).toMatchObject({ update: 1, create: 1 });
  expect(await answeringPid()).toBe(outputs.pid?.value);
  await (await stackOf(program({}))).destroy();
});

/** The error of an `up`, as a person sees it: the lines of all diagnostics. */
async function failure(service: Service): Promise<string> {
  const stack = await stackOf(program(service));
  const chunks: string[] = [];
  const failed = await stack.up({ onOutput: (chunk) => chunks.push(chunk), color: "never" }).then(
    () => false,
    () => true,
  );
  expect(failed).toBe(true);
  return chunks.join("");
}

test("a command that fails: one clear message, no stack trace, and the next up mends it", async () => {
  const text = await failure({ mode: "exits" });
  expect(text).toContain("service exited with code 3 before it was ready");
  expect(text).toContain("error initializing configuration: no such cluster");
  expect(text).not.toMatch(/^\s+at /m);
  expect(text.split("Diagnostics:")[1]?.match(/exited with code 3/g)).toHaveLength(1);
  await up();
  const before = await answeringPid();

  const changed = await failure({ mode: "exits" });
  expect(changed).toContain("It runs again as it was before the change.");
  expect(await answeringPid()).not.toBe(before);
  expect((await up()).summary.resourceChanges).toMatchObject({ update: 1 }); // the old one is taken over
  expect((await up()).summary.resourceChanges).toEqual({ same: 2 });
  await (await stackOf(program({}))).destroy();
});

test("a port in use: by whom, and the key that chooses it", async () => {
  const other = createServer().listen(port, "127.0.0.1");
  onTestFinished(() => void other.close());
  await once(other, "listening");
  const text = await failure({});
  expect(text).toMatch(`(pid ${process.pid}): stop that process, or choose another port with meshup:ports.service`);
  other.close();
  await once(other, "close");
  expect((await up()).summary.result).toBe("succeeded");
  await (await stackOf(program({}))).destroy();
});

test("a proof that does not hold", async () => {
  const text = await failure({ proof: { "x-custom": "value" } });
  expect(text).toContain('filter "service" did not prove itself within 0.5 s');
  expect(text).toContain("x-custom is missing; expected: value");
  await (await stackOf(program({}))).destroy();
});

test("a resource type that does not exist", async () => {
  class Unknown extends pulumi.CustomResource {}
  const stack = await stackOf(async () => {
    new Unknown("meshup:index:Nothing", "x", {});
    return {};
  });
  const text = await stack.up({ color: "never" }).catch((error) => String(error));
  expect(text).toMatch(/meshup's provider has no resource type meshup:index:Nothing; it has .*meshup:local:Process/);
});

test("the engine may start the provider from any folder", async () => {
  const provider = spawn(join(root, "provider/pulumi-resource-meshup"), ["127.0.0.1:1"], { cwd: "/" });
  onTestFinished(() => void provider.kill("SIGKILL"));
  const [line] = await once(provider.stdout, "data");
  expect(Number(String(line).trim())).toBeGreaterThan(0);
});
