import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, readdir, readFile } from "node:fs/promises";
import { createConnection } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpRequest } from "../../lib/http.ts";
import { root } from "../../lib/paths.ts";
import { ScratchClone } from "./scratch-clone.ts";
import { Traffic } from "./traffic.ts";

/** One clone, in the order of a newcomer's first hour. */
let clone: ScratchClone;

beforeAll(async () => {
  clone = await ScratchClone.create();
});

afterAll(() => clone.remove());

const atRest = "service=default/echo, current-load=1, target-load=1, max-load=2";

describe("the first npm start", () => {
  it("ends with every filter's request and the header that came back", async () => {
    const { code, stdout, stderr } = await clone.run(["start"]);
    expect(stderr).toMatch(/envoy/i);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const at = `http://localhost:${clone.ports.gateway}`;
    expect(stdout).toContain(`Gateway: ${at}`);
    expect(stdout).toContain(`GET ${at}/one → 200  x-custom-header: custom-value`);
    expect(stdout).toContain(`GET ${at}/headers → 200  header_1: first_header  header_2: second_header`);
    expect(stdout).toContain(`GET ${at}/echo → 200  x-wasm-custom: FOO`);
    expect(stdout).toMatch(/GET \S+\/echo → 200 {2}x-load-feedback: service=default\/echo, current-load=1/);
  });

  it("serves the routes, each with its own headers and no other's", async () => {
    const ours = ["x-custom-header", "header_1", "header_2", "x-wasm-custom", "x-load-feedback"];
    const seen = async (path: string) => {
      const { headers } = await clone.get(path);
      return Object.fromEntries(ours.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])));
    };
    expect(await seen("/one")).toEqual({ "x-custom-header": "custom-value" });
    expect(await seen("/two")).toEqual({});
    expect(await seen("/headers")).toEqual({ header_1: "first_header", header_2: "second_header" });
    expect(await seen("/echo")).toEqual({ "x-wasm-custom": "FOO", "x-load-feedback": atRest });
  });

  it("serves real workloads behind rewritten paths", async () => {
    const one = JSON.parse((await clone.get("/one/get?a=1")).body);
    expect(one).toMatchObject({ args: { a: "1" }, url: expect.stringMatching(/\/get\?a=1$/) });
    expect((await clone.get("/two/status/418")).status).toBe(418);
    expect(JSON.parse((await clone.get("/echo/some/where")).body)).toMatchObject({ path: "/some/where" });
    expect((await clone.get("/nowhere")).status).toBe(404);
  });

  it("leaves the clone's own files as they were", async () => {
    const text = await clone.read("Pulumi.local.yaml");
    expect(text).not.toContain("encryptionsalt");
  });

  it("listens on loopback and nowhere else", async () => {
    const external = Object.values((await import("node:os")).networkInterfaces())
      .flat()
      .find((address) => address?.family === "IPv4" && !address.internal)?.address;
    if (!external) return; // a machine without a network cannot be reached from one
    for (const port of Object.values(clone.ports)) expect(await connects(external, port)).toBe(false);
  });
});

describe("npm start again", () => {
  it("says that nothing has changed, and leaves every process alone", async () => {
    const before = await clone.processes();
    const { code, stdout } = await clone.run(["start"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Nothing to change/);
    expect(await clone.processes()).toEqual(before);
  });

  it("starts a killed service, and only that", async () => {
    const before = await clone.processes();
    process.kill(before.echo?.pid as number, "SIGKILL");
    await expect.poll(async () => (await clone.processes()).echo?.alive).toBe(false);
    expect((await clone.run(["status"])).code).toBe(1);
    await clone.json(["start"]);
    const after = await clone.processes();
    expect(after.echo).toMatchObject({ alive: true });
    expect(after.echo?.pid).not.toBe(before.echo?.pid);
    expect({ ...after, echo: undefined }).toEqual({ ...before, echo: undefined });
  });

  it("starts a killed Envoy, which serves as before", async () => {
    const before = await clone.processes();
    process.kill(before.envoy?.pid as number, "SIGKILL");
    await clone.json(["start"]);
    expect((await clone.get("/one")).headers["x-custom-header"]).toBe("custom-value");
    expect((await clone.processes()).envoy?.pid).not.toBe(before.envoy?.pid);
  });
});

describe("the commands of a running stack", () => {
  it("verify proves the headers, and that Envoy runs the modules that were built", async () => {
    const { ok, proofs, modules } = await clone.json<{
      ok: boolean;
      proofs: { ok: boolean }[];
      modules: { running: boolean }[];
    }>(["verify"]);
    expect(ok).toBe(true);
    expect(proofs.map((p) => p.ok)).toEqual([true, true, true, true]);
    expect(modules.map((m) => m.running)).toEqual([true, true, true, true]);
  });

  it("verify fails when a header is not there", async () => {
    const { echo } = await clone.processes();
    process.kill(echo?.pid as number, "SIGSTOP");
    const { code, stdout } = await clone.run(["verify"]);
    process.kill(echo?.pid as number, "SIGCONT");
    expect(code).toBe(1);
    expect(stdout).toMatch(/FAILED\s+wasm-custom/);
  });

  it("doctor finds nothing broken, and then just what is", async () => {
    expect((await clone.run(["doctor"])).stdout).toMatch(/Nothing is broken/);
    const { "httpbin-two": victim } = await clone.processes();
    process.kill(victim?.pid as number, "SIGKILL");
    await expect.poll(async () => (await clone.processes())["httpbin-two"]?.alive).toBe(false);
    const { code, stdout } = await clone.run(["doctor"]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /BROKEN\s+httpbin-two[\s\S]*to mend it: `npm start -- local` starts it again[\s\S]*Broken: httpbin-two\./,
    );
    await clone.json(["start"]);
  });

  it("logs have the filter's own lines", async () => {
    const { stdout } = await clone.run(["logs", "local", "envoy", "--lines", "500"]);
    expect(stdout).toMatch(/wasm log .*add_header_root: 2 headers/);
  });

  it("config-dump shows the filter alone", async () => {
    const { code, stdout } = await clone.run(["config-dump", "local", "two-headers"]);
    expect(code).toBe(0);
    expect(stdout).toContain("second_header");
    expect(stdout).not.toContain("custom-value");
    expect(stdout.split("\n").length).toBeLessThan(60);
  });

  it.each([
    [["config-dump", "local", "nobody"], /nobody[\s\S]*custom-header/],
    [["logs", "local", "nobody"], /nobody[\s\S]*envoy/],
    [["remove", "nobody"], /nobody[\s\S]*custom-header/],
    [["remove", "local"], /npm run remove -- \[STACK\] FILTER/],
    [["push"], /local has no images to push/],
    [["start", "nowhere"], /nowhere[\s\S]*local/],
    [["strat"], /strat[\s\S]*start/],
  ])("%j names what there is", async (args, message) => {
    const { code, stderr } = await clone.run(args as string[]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message as RegExp);
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe("load on echo", () => {
  it("shows in the header, and goes again with the load", async () => {
    const feedback = async () => (await clone.get("/echo")).headers["x-load-feedback"];
    const hold = () => Promise.all(Array.from({ length: 8 }, () => clone.get("/echo?delay=4000")));
    const held = hold();
    await expect.poll(feedback, { timeout: 8_000 }).toMatch(/current-load=1, target-load=2/);
    await expect.poll(feedback, { timeout: 8_000 }).toMatch(/current-load=2/);
    await held;
    await expect.poll(feedback, { timeout: 15_000 }).toBe(atRest);
  });
});

describe("a changed filter", () => {
  it("is rolled out without a restart of Envoy, and no request is dropped", async () => {
    const before = await clone.processes();
    const { filters: old } = (await clone.json<{ outputs: { filters: { digest: string }[] } }>(["verify"])).outputs;
    const traffic = new Traffic(`http://localhost:${clone.ports.gateway}/one`);
    await clone.edit("filter/assembly/add-header.ts", (text) => text.replace('# header")', 'now # header")'));
    const { outputs } = await clone.json<{ outputs: { filters: { digest: string }[] } }>(["start"]);
    const { answers, failures } = await traffic.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(0);
    expect(outputs.filters[0]?.digest).not.toBe(old[0]?.digest);
    expect((await clone.processes()).envoy).toEqual(before.envoy);
    const logs = await clone.run(["logs", "local", "envoy", "--lines", "500"]);
    expect(logs.stdout).toContain("add_header_root: now 1 header");
  });

  it("that does not compile changes nothing; the compiler's own words say where", async () => {
    const good = await clone.read("filter/assembly/add-header.ts");
    await clone.write("filter/assembly/add-header.ts", `${good}\nconst broken: i32 = "text";\n`);
    const { code, stderr, stdout } = await clone.run(["start"]);
    await clone.write("filter/assembly/add-header.ts", good);
    expect(code).toBe(1);
    expect(stderr + stdout).toMatch(/add-header\.ts[:(]\d+[:,]\d+/);
    expect(stderr + stdout).toMatch(/not assignable/);
    expect(stderr + stdout).not.toMatch(/^\s+at /m);
    expect((await clone.get("/one")).headers["x-custom-header"]).toBe("custom-value");
    await clone.json(["start"]);
  });
});

describe("a filter of one's own", () => {
  it("is made by npm run new and run by the next npm start", async () => {
    expect((await clone.run(["new", "mine"])).code).toBe(0);
    const { code, stdout } = await clone.run(["start"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ok\s+mine\s+GET \S+ → 200 {2}\S+: \S+/);
  });

  it.each([
    ["mine", /mine/],
    ["Not_A_Name", /Not_A_Name/],
    ["", /name/],
  ])("new %j is refused with the reason", async (name, message) => {
    const before = await clone.read("Pulumi.local.yaml");
    const { code, stderr } = await clone.run(["new", name]);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
    expect(await clone.read("Pulumi.local.yaml")).toBe(before);
  });

  it("may be a ready module of another toolchain", async () => {
    const fixture = join(root, "test", "fixtures", "header-in-rust");
    const wasm = (await readdir(fixture)).find((file) => file.endsWith(".wasm")) as string;
    await cp(join(fixture, wasm), join(clone.folder, "rust.wasm"));
    await clone.configure((stack) =>
      stack.addIn(["config", "meshup:filters"], { name: "rust", module: "./rust.wasm", target: { route: "two" } }),
    );
    const { stdout } = await clone.run(["start"]);
    expect(stdout).toMatch(/ok\s+rust\s+GET \S+\/two → 200 {2}x-from-rust: yes/);
  });

  it("is taken out by npm run remove, and the others stay", async () => {
    const { code, stdout } = await clone.run(["remove", "rust"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ok\s+mine/);
    expect(stdout).not.toMatch(/ok\s+rust/);
    expect((await clone.get("/two")).headers["x-from-rust"]).toBeUndefined();
    expect(await clone.read("Pulumi.local.yaml")).not.toContain("rust");
  });
});

describe("npm run build", () => {
  it("writes the module that the stack runs to build/filter.wasm", async () => {
    expect((await clone.run(["build"])).code).toBe(0);
    const bytes = await readFile(join(clone.folder, "build/filter.wasm"));
    const { outputs } = await clone.json<{ outputs: { filters: { digest: string }[] } }>(["verify"]);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(outputs.filters[0]?.digest);
  });
});

describe("npm run destroy", () => {
  it("leaves no process, no port and no state", async () => {
    const processes = Object.values(await clone.processes());
    const { code, stdout } = await clone.run(["destroy"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Nothing is left but/);
    for (const { pid } of processes) expect(runs(pid)).toBe(false);
    for (const port of Object.values(clone.ports)) expect(await connects("127.0.0.1", port)).toBe(false);
    expect(existsSync(join(clone.folder, ".meshup", "stacks"))).toBe(false);
  });

  it("again says that there is nothing", async () => {
    const { code, stdout } = await clone.run(["destroy"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Nothing to take down/);
  });

  it("can be followed by another start", async () => {
    await clone.json(["start"]);
    expect((await httpRequest({ url: `http://localhost:${clone.ports.gateway}/headers` })).headers.header_1).toBe(
      "first_header",
    );
  });
});

/** A process that has ended counts as ended, whether or not anybody has asked for its exit code. */
function runs(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

function connects(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 1000 });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("timeout", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}
