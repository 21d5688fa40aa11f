import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";
import { compileProbe } from "../fixtures/compile.ts";
import { bare, wasm as handMade } from "../fixtures/wasm.ts";
import { type PreflightOptions, preflight } from "./preflight.ts";

let folder: string;
let wasm: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "preflight-"));
  wasm = join(folder, "probe.wasm");
  writeFileSync(wasm, await compileProbe());
});
afterAll(() => rm(folder, { recursive: true }));

const check = (configuration: string, options: Partial<PreflightOptions> = {}) =>
  preflight({ name: "mine", wasm, configuration, ...options });

async function refusal(checked: Promise<unknown>): Promise<string> {
  const error = await checked.then(
    () => new Error("it was taken"),
    (reason: unknown) => reason as Error,
  );
  expect(error).toBeInstanceOf(UserError);
  return error.message;
}

describe("a sound filter", () => {
  test("the headers that it adds to a response", async () => {
    expect(await check("add")).toEqual({ warnings: [], logs: [], adds: { "x-probe": "here" } });
    expect((await check("nothing")).adds).toEqual({});
  });

  test("what it logs", async () => {
    const { logs } = await check("log-levels");
    expect(logs.map(({ level }) => level)).toEqual(["info", "warn", "error", "critical"]);
  });

  test("what it polls is answered by whom the caller names", async () => {
    const answers = async (clusters: PreflightOptions["clusters"]) =>
      (await check("poll", { clusters })).logs.map(({ message }) => message).slice(0, 2);
    expect(await answers({ other: { body: "figures" } })).toEqual(["call: 0 4", "answer 4: 200 figures 0 "]);
    expect(await answers(["other"])).toEqual(["call: 0 4", "answer 4: 504 upstream request timeout 0 "]);
    expect(await answers(undefined)).toEqual(["call: 0 4", "answer 4: 504 upstream request timeout 0 "]);
    expect(await answers(["one", "/^oth.r$/"])).toEqual(["call: 0 4", "answer 4: 504 upstream request timeout 0 "]);
    expect(await answers({ another: "silent" })).toEqual(["call: 2 0", "call: 2 0"]);
  });

  test("of a filter that waits for an answer nothing is known; one that answers itself shows it", async () => {
    expect(await check("pause")).toMatchObject({
      adds: {},
      notes: ["it holds the request until what it has called answers"],
    });
    expect(await check("deny")).toMatchObject({ adds: { "x-why": "closed", "x-seen": "403" }, status: 403 });
  });

  test("what this V8 does not know is a warning", async () => {
    const newer = handMade({ functions: [...bare, { signature: ">", code: [0xe0, 0] }] });
    const { warnings, adds } = await preflight({ wasm: newer });
    expect(warnings).toEqual([expect.stringMatching(/^not run here: Node v\S+'s V8 .* does not know .*0xe0.*may$/)]);
    expect(adds).toEqual({});
  });
});

describe("what a proxy would refuse or trap on", () => {
  test("no module", async () => {
    writeFileSync(join(folder, "text.wasm"), "this is text");
    expect(await refusal(preflight({ name: "mine", wasm: join(folder, "text.wasm") }))).toBe(
      'filter "mine": Failed to parse corrupted Wasm module: it is no Wasm module, it begins with "this is text"',
    );
    expect(await refusal(preflight({ wasm: join(folder, "none.wasm") }))).toMatch(/^cannot read the module: ENOENT/);
  });

  test("missing imports, all of them", async () => {
    const bytes = handMade({ imports: { "env.one": ">", "env.two": ">" } });
    expect(await refusal(preflight({ wasm: bytes }))).toContain("missing import: env.one, env.two");
  });

  test("a trap at start", async () => {
    expect(await refusal(check("", { vmConfiguration: "trap" }))).toMatch(
      /^filter "mine": proxy_on_vm_start trapped: unreachable\n {2}its stack:\n {4}probe\/proxy_on_vm_start /,
    );
  });

  test("a trap in configure: what the module said", async () => {
    expect(await refusal(check("trap-configure"))).toMatch(
      /^filter "mine": proxy_on_configure trapped: no such thing at: probe\.ts\(\d+:\d+\)\n {2}it logged:\n {4}\[critical\] /,
    );
  });

  test("a configuration that the module does not take: its reason", async () => {
    expect(await refusal(check("false-configure"))).toBe(
      'filter "mine": Failed to configure base Wasm plugin: proxy_on_configure returned false\n' +
        "  it logged:\n    [error] the configuration is no good: line 1",
    );
  });

  test("a call to a cluster that the proxy does not know: its name, and what there is", async () => {
    expect(await refusal(check("poll", { clusters: ["another", "/^an$/"] }))).toContain(
      'filter "mine": it calls the cluster "other", which the proxy does not know; it knows another, /^an$/',
    );
    expect(await refusal(check("poll", { clusters: [] }))).toContain("it knows none");
  });

  test.each([
    ["call-or-trap", "; proxy_on_configure trapped: nobody to ask"],
    ["call-or-refuse", "; Failed to configure base Wasm plugin: proxy_on_configure returned false"],
    ["second-calls", ""],
  ])("whatever comes of such a call, it is told for the cause: %s", async (mode, then) => {
    const what = 'filter "mine": it calls the cluster "other", which the proxy does not know; it knows another';
    expect(await refusal(check(mode, { clusters: ["another"] }))).toContain(what + then);
    expect(await check(mode, { clusters: ["other"] })).toMatchObject({ warnings: [] });
  });

  test.each([
    ["abort-request", "proxy_on_request_headers"],
    ["trap-response", "proxy_on_response_headers"],
    ["trap-response-body", "proxy_on_response_body"],
    ["tick-trap", "proxy_on_tick"],
  ])("%s: a trap in %s", async (mode, callback) => {
    expect(await refusal(check(mode))).toContain(`filter "mine": ${callback} trapped: `);
  });

  test("an endless loop is stopped, and where it was is told", async () => {
    const [configure, request] = await Promise.all(
      ["loop-configure", "loop-request"].map((mode) => refusal(check(mode, { timeoutMs: 1500 }))),
    );
    expect(configure).toBe('filter "mine": proxy_on_configure has not returned after 1.5 s: an endless loop?');
    expect(request).toContain("proxy_on_request_headers has not returned");
  });
});

test("it works in a process that was started with tsx, from any folder", async () => {
  const script = join(folder, "check.mts");
  const module = JSON.stringify(join(root, "host/preflight/preflight.ts"));
  writeFileSync(
    script,
    `import { preflight } from ${module};
console.log(JSON.stringify((await preflight({ wasm: ${JSON.stringify(wasm)}, configuration: "add" })).adds));`,
  );
  const tsx = join(root, "node_modules/tsx/dist/loader.mjs");
  const { stdout, stderr } = await exec(process.execPath, ["--import", tsx, script], { cwd: folder });
  expect(stderr).toBe("");
  expect(stdout).toBe('{"x-probe":"here"}\n');
});
