import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { listener } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { compileWasi } from "../../host/fixtures/compile.ts";
import { Plugin } from "../../host/plugin/plugin.ts";
import { root } from "../../lib/paths.ts";
import { applyConfiguration } from "../../provider/envoy-configuration.ts";
import { RealEnvoy } from "./real-envoy.ts";

let envoy: RealEnvoy;
beforeAll(async () => {
  envoy = await RealEnvoy.start();
});
afterAll(() => envoy.stop());

/** Loads a module in Envoy, each time under a name of its own. @returns what it logged */
let count = 0;
async function inEnvoy(file: string, configuration: string): Promise<string[]> {
  const [{ directory, gateway: port }, name] = [envoy, `filter-${count++}`];
  const { size: offset } = await stat(envoy.log);
  const digest = createHash("sha256").update(readFileSync(file)).digest("hex");
  await applyConfiguration({
    directory,
    admin: `http://127.0.0.1:${envoy.admin}`,
    log: envoy.log,
    process: String(envoy.pid),
    clusters: [],
    listeners: [listener({ directory, port, routes: [], filters: [{ name, target: { gateway: true } }] })],
    filters: {
      [name]: {
        digest,
        resource: wasmFilter({ name, rootId: "", digest, file, configuration, failure: "close" }),
      },
    },
  });
  return envoy.moduleLogs(offset);
}

/** The lines of the first VM: Envoy starts one more for each of its threads. */
const ofOneVm = (lines: string[], from: string, to: string) => {
  const start = lines.indexOf(from);
  return lines.slice(start, lines.indexOf(to, start) + 1);
};

it("every function of WASI answers in the host as in Envoy", async () => {
  const [wasm, file] = [await compileWasi(), join(envoy.scratch, "wasi.wasm")];
  await writeFile(file, wasm);
  const inHost = Plugin.load({ wasm, configuration: "all" }).logs.map(({ message }) => message);
  const seen = await inEnvoy(file, "all");
  for (const [from, to] of [
    ["at start", "random bytes: 0 true"],
    ["at configuration", "proc_exit has returned"],
  ] as const) {
    expect(ofOneVm(inHost, from, to).length).toBeGreaterThan(70);
    expect(ofOneVm(seen, from, to)).toEqual(ofOneVm(inHost, from, to));
  }
});

/** `go version go1.26.8 linux/amd64`; wasip1 modules that export functions need 1.24. */
const goVersion = /go1\.(\d+)/.exec(spawnSync("go", ["version"], { encoding: "utf8" }).stdout ?? "")?.[1];

describe.skipIf(Number(goVersion ?? 0) < 24)("a module of plain Go (skipped without Go 1.24 or newer)", () => {
  let file: string;
  beforeAll(() => {
    file = join(envoy.scratch, "go.wasm");
    const args = ["build", "-buildmode=c-shared", "-buildvcs=false", "-trimpath", "-o", file, "."];
    const env = { ...process.env, GOOS: "wasip1", GOARCH: "wasm", GOTOOLCHAIN: "local", GOFLAGS: "", GOWORK: "off" };
    const built = spawnSync("go", args, { cwd: join(root, "test/fixtures/go-filter"), env, encoding: "utf8" });
    if (built.status !== 0) throw new Error(built.stderr);
  });

  it("does in the host what it does in Envoy", async () => {
    const configuration = "surroundings sleep goroutines collect exit";
    const lines = [
      "to standard output",
      "to standard error",
      "args 0 env 0 random 16 <nil>",
      "open /etc/hostname: No such file or directory, read /dev/stdin: Not implemented on wasip1",
      "slept true",
      "answered",
      "collected",
      "still here",
    ];
    const plugin = Plugin.load({ wasm: file, configuration });
    expect(plugin.logs.map(({ message }) => message)).toEqual(lines);
    const { response } = plugin.stream().exchange({}, { status: 200 });
    expect(response?.headers["x-test"]).toBe("from go");
    expect((await inEnvoy(file, configuration)).slice(0, lines.length)).toEqual(lines);
    expect((await envoy.get("/")).status).toBe(404); // its filter chain stands
  });

  it("panics in both with the same reason", async () => {
    const reason = "panic: assignment to entry in nil map";
    expect(() => Plugin.load({ wasm: file, configuration: "panic" })).toThrow(`proxy_on_configure trapped: ${reason}`);
    await expect(inEnvoy(file, "panic")).rejects.toThrow(/proxy_on_configure failed: Uncaught RuntimeError/);
  });
});
