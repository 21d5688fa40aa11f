import { spawn } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { rm, truncate } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ExecResult } from "../../lib/exec.ts";
import { type Behaviour, broken, compileModule } from "../modules.ts";
import { binWithout, expectFailure, killHalfway, locks, processesIn } from "./accidents.ts";
import { ScratchClone } from "./scratch-clone.ts";

/** Bad input and accidents. Each ends in one clear message and a stack that works, or in success. */
let clone: ScratchClone;
let stackFile: string;

beforeAll(async () => {
  clone = await ScratchClone.create();
  stackFile = await clone.read("Pulumi.local.yaml");
});

afterEach(() => clone.write("Pulumi.local.yaml", stackFile));

afterAll(() => clone.remove());

describe("before anything runs", () => {
  it("a port in use is named, with its user and the key that chooses another", async () => {
    const port = clone.ports["httpbin-two"];
    const squatter = createServer();
    await new Promise<void>((resolve) => squatter.listen(port, "127.0.0.1", resolve));
    const result = await clone.run(["start"]);
    squatter.close();
    expectFailure(result, new RegExp(`${port}.*in use[\\s\\S]*${process.pid}[\\s\\S]*meshup:ports\\.httpbin-two`));
  });

  it("a machine without Python is told what to install", async () => {
    await clone.run(["destroy"]); // takes the Python packages, too
    const bin = await binWithout();
    const result = await clone.run(["start"], { PATH: bin, PYTHON: "" });
    await rm(bin, { recursive: true });
    expectFailure(result, /Python 3[\s\S]*install/);
  });

  it("a machine without a network is told so, in pip's words", async () => {
    await rm(join(clone.folder, ".meshup", "python"), { recursive: true, force: true });
    const offline = {
      PIP_INDEX_URL: "http://127.0.0.1:9/simple",
      PIP_NO_CACHE_DIR: "1",
      PIP_FIND_LINKS: "",
      PIP_RETRIES: "0",
    };
    expectFailure(await clone.run(["start"], offline), /ERROR: [\s\S]*network/i);
  });

  it("every problem of the configuration is named at once", async () => {
    await clone.configure((stack) => {
      stack.setIn(["config", "meshup:routes", 0, "workload"], "htpbin");
      stack.setIn(["config", "meshup:filters", 1, "failure"], "maybe");
      stack.setIn(["config", "meshup:prots"], {});
    });
    expectFailure(
      await clone.run(["start"]),
      /routes\[0\]\.workload[\s\S]*filters\[1\]\.failure[\s\S]*meshup:prots: there is no such key/,
    );
  });
});

describe("a module that is not there", () => {
  it("is named with every other, by key", async () => {
    await clone.configure((stack) => {
      stack.setIn(["config", "meshup:filters", 0, "module"], "./nowhere");
      stack.setIn(["config", "meshup:filters", 2, "module"], "README.md");
    });
    expectFailure(await clone.run(["start"]), /meshup:filters\[0\]\.module: [\s\S]*meshup:filters\[2\]\.module: /);
  });

  it("may be named in two ways when it is there", async () => {
    await clone.configure((stack) => stack.setIn(["config", "meshup:filters", 0, "module"], "filter"));
    await clone.json(["start"]);
    await expectServing();
  });
});

it("a filter that adds nothing has to say what proves it", async () => {
  await clone.configure((stack) => stack.deleteIn(["config", "meshup:filters", 1, "config"]));
  expectFailure(await clone.run(["start"]), /"two-headers"[\s\S]*`expect: \{\}`/);
  await clone.configure((stack) => stack.setIn(["config", "meshup:filters", 1, "expect"], {}));
  await clone.json(["start"]);
  await clone.write("Pulumi.local.yaml", stackFile);
  await clone.json(["start"]);
});

describe("an up that was killed half-way", () => {
  it("is finished by the next one, in spite of the lock that it left", async () => {
    await clone.run(["destroy"]);
    await killHalfway(clone, "start");
    expect(locks(clone)).not.toEqual([]);
    const { ok } = await clone.json<{ ok: boolean }>(["start"]);
    expect(ok).toBe(true);
    const processes = Object.values(await clone.processes());
    expect(processes.length).toBe(5);
    expect(processes.every((p) => p.alive)).toBe(true);
  });

  it("is taken down by destroy, with all that it had started", async () => {
    await clone.run(["destroy"]);
    await killHalfway(clone, "start");
    const { code, stdout, stderr } = await clone.run(["destroy"]);
    expect(code, stdout + stderr).toBe(0);
    await expect.poll(() => processesIn(clone.folder), { timeout: 10_000 }).toEqual([]);
    await clone.json(["start"]); // would find its ports taken
  });
});

it("two ups at once: one does it, the other says who does", async () => {
  await clone.run(["destroy"]);
  const results = await Promise.all([clone.run(["start"]), clone.run(["start"])]);
  const [winner, loser] = results.sort((a, b) => (a.code ?? 1) - (b.code ?? 1)) as [ExecResult, ExecResult];
  expect(winner.code).toBe(0);
  expectFailure(loser, /pid \d+/);
  expect((await clone.run(["start"])).stdout).toMatch(/Nothing to change/);
});

describe("a broken filter", () => {
  const cases = Object.entries({
    ...broken,
    "traps in a request": { behaviour: { value: "no", onResponse: "unreachable();" }, says: /unreachable/ },
  });

  for (const failure of ["open", "close"])
    it.each(cases)(`that %s never reaches Envoy (failure: ${failure})`, async (_what, { behaviour }) => {
      await declare(behaviour, failure);
      const result = await clone.run(["start"]);
      expectFailure(result, /"?bad"?/);
      expect(await envoyKnows("bad")).toBe(false);
      await expectServing();
    });

  it("is refused with the reason and the module's own stack", async () => {
    await declare({ value: "no", onConfigure: "unreachable(); return 1;" }, "close");
    const { stderr, stdout } = await clone.run(["start"]);
    expect(stdout + stderr).toMatch(/proxy_on_configure[\s\S]*unreachable/);
  });
});

describe("with the check in the host switched off", () => {
  const off = { MESHUP_PREFLIGHT: "off" };

  for (const failure of ["open", "close"])
    for (const [what, { behaviour, says }] of Object.entries(broken))
      it(`a filter that ${what} is refused in Envoy's words, and the rest goes on (failure: ${failure})`, async () => {
        await declare(behaviour, failure);
        expectFailure(await clone.run(["start"], off), says);
        await expectServing();
      });

  it.each([
    ["open", 200],
    ["close", 503],
  ])("a filter that traps in a request is found out by its proof (failure: %s)", async (failure, status) => {
    await declare({ value: "no", onResponse: "unreachable();" }, failure, { "x-test": "no" });
    expectFailure(await clone.run(["start"], off), /bad[\s\S]*x-test/);
    expect((await clone.get("/two")).status).toBe(status);
    await clone.write("Pulumi.local.yaml", stackFile);
    await clone.json(["start"]);
    await expectServing();
  });
});

describe("a filter's configuration", () => {
  it.each([
    ["is not JSON", "{not json", /JSON/],
    ["has a header name that HTTP forbids", { "bad name": "x" }, /"bad name"/],
    ["has a header value that HTTP forbids", { "x-a": "a\r\nx-b: c" }, /"x-a"[\s\S]*control character/],
    ["has a value of a wrong kind", { "x-a": 1 }, /"x-a"[\s\S]*string/],
  ])("that %s stops the up with the reason", async (_what, config, says) => {
    await clone.configure((stack) => stack.setIn(["config", "meshup:filters", 0, "config"], config));
    expectFailure(await clone.run(["start"]), says);
    await expectServing();
  });

  it("that is wrong in two filters is told of both", async () => {
    await clone.configure((stack) => {
      stack.setIn(["config", "meshup:filters", 0, "config"], { "bad name": "x" });
      stack.setIn(["config", "meshup:filters", 1, "config"], { "x-b": 7 });
    });
    const result = await clone.run(["start"]);
    expectFailure(result, /"bad name"/);
    expectFailure(result, /"x-b"/);
  });
});

it("an Envoy that refuses its start is quoted, and the one before runs again", async () => {
  await clone.configure((stack) => stack.setIn(["config", "meshup:logLevels"], { nosuchthing: "info" }));
  expectFailure(await clone.run(["start"]), /nosuchthing/);
  await clone.write("Pulumi.local.yaml", stackFile);
  await clone.json(["start"]);
  await expectServing();
});

describe("Envoy's log and its silence", () => {
  const log = () => join(clone.folder, ".meshup", "stacks", "local", "envoy.log");
  const envoyPid = async () => (await clone.processes()).envoy?.pid as number;

  it("a log of 3 GiB is put aside by an up with nothing else to do; Envoy runs on", async () => {
    await clone.json(["start"]);
    const pid = await envoyPid();
    await truncate(log(), 3 * 1024 ** 3);
    const { code, stdout, stderr } = await clone.run(["start"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/1 updated, \d+ as they were/);
    expect(stderr).toMatch(/updated Process envoy/);
    expect(statSync(log()).size).toBeLessThan(1024 ** 2);
    expect(statSync(`${log()}.1`).size).toBe(10 * 1024 ** 2);
    expect(await envoyPid()).toBe(pid);
    expect((await clone.run(["start"])).stdout).toMatch(/Nothing to change/);
  });

  it("a log that cannot be read is told, and the next up makes it anew", async () => {
    await rm(log());
    const { code, stderr } = await clone.run(["logs", "local", "envoy"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/envoy\.log cannot be read/);
    await clone.json(["start"]);
    expect((await clone.run(["logs", "local", "envoy", "--lines", "500"])).stdout).toContain(
      "starting main dispatch loop",
    );
    await expectServing();
  });

  it("a module that logs critically and without end stops nobody, and fills no disk", async () => {
    const text = [...Buffer.from("all is lost")].join(", ");
    const loud: Behaviour = {
      value: "loud",
      declare: `
        @external("env", "proxy_log") declare function log(level: u32, at: usize, size: usize): u32;
        @external("env", "proxy_set_tick_period_milliseconds") declare function setTick(ms: u32): u32;
        const text = memory.data<u8>([${text}]);
        export function proxy_on_tick(context: u32): void { log(5, text, 11); }`,
      onConfigure: "log(5, text, 11); setTick(20); return 1;",
    };
    await declare(loud, "close");
    await clone.json(["start"]);
    expect((await clone.get("/two")).headers["x-test"]).toBe("loud");
    await clone.configure((stack) => stack.setIn(["config", "meshup:filters", 0, "config", "x-custom-header"], "new"));
    await clone.json(["start"]);
    await expect.poll(async () => (await clone.get("/one")).headers["x-custom-header"]).toBe("new");
    const limits = readFileSync(`/proc/${await envoyPid()}/limits`, "utf8");
    expect(limits).toMatch(/^Max file size +104857600 /m);
    await clone.write("Pulumi.local.yaml", stackFile);
    await clone.json(["start"]);
    await expectServing();
  });

  it("an Envoy that is busy is waited for, and the person is told", async () => {
    const pid = await envoyPid();
    await clone.configure((stack) => stack.setIn(["config", "meshup:filters", 0, "config", "x-custom-header"], "late"));
    process.kill(pid, "SIGSTOP");
    const start = spawn(process.execPath, clone.command(["start"]), { cwd: clone.folder, env: clone.env() });
    let said = "";
    for (const stream of [start.stdout, start.stderr]) stream.on("data", (text) => (said += text));
    const ended = new Promise((resolve) => start.once("exit", resolve));
    try {
      await expect
        .poll(() => said, { timeout: 120_000 })
        .toMatch(/envoy \(pid \d+\) lives, but is not ready after \d+ s: .*It is waited for/);
      expect(start.exitCode).toBeNull();
    } finally {
      process.kill(pid, "SIGCONT");
    }
    expect(await ended, said).toBe(0);
    expect((await clone.get("/one")).headers["x-custom-header"]).toBe("late");
    await clone.write("Pulumi.local.yaml", stackFile);
    await clone.json(["start"]);
  });
});

async function expectServing(): Promise<void> {
  await expect.poll(async () => (await clone.get("/one")).headers["x-custom-header"]).toBe("custom-value");
  expect((await clone.get("/headers")).headers.header_2).toBe("second_header");
}

async function declare(behaviour: Behaviour, failure: string, expected?: Record<string, string>): Promise<void> {
  const { file } = await compileModule(join(clone.folder, "build"), behaviour);
  const filter = {
    name: "bad",
    module: file,
    target: { route: "two" },
    failure,
    ...(expected && { expect: expected }),
  };
  await clone.configure((stack) => stack.addIn(["config", "meshup:filters"], filter));
}

async function envoyKnows(filter: string): Promise<boolean> {
  const { code, stdout, stderr } = await clone.run(["config-dump", "local", "--json"]);
  expect(code, stderr).toBe(0);
  return stdout.includes(`"${filter}"`);
}
