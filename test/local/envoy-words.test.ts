import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cluster, listener } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { onThisMachine } from "../../components/workloads/backend.ts";
import { applyConfiguration } from "../../provider/envoy-configuration.ts";
import { type Behaviour, broken, compileModule } from "../modules.ts";
import { freePorts } from "../ports.ts";
import { RealEnvoy } from "./real-envoy.ts";
import { Traffic } from "./traffic.ts";

/** What modules say, whatever it looks like, is no word of Envoy's about itself. */
let envoy: RealEnvoy;
let server: Server;
let upstream: number;
beforeAll(async () => {
  envoy = await RealEnvoy.start();
  [upstream] = (await freePorts(1)) as [number];
  server = createServer((_request, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(upstream, "127.0.0.1", resolve));
});
afterAll(async () => {
  await envoy.stop();
  server.close();
});

type Filter = Behaviour & { failure?: "open" | "close" | "reload" };

/** Each filter on a route of its name. */
async function apply(filters: Record<string, Filter>): Promise<void> {
  const { directory, gateway: port } = envoy;
  const names = Object.keys(filters);
  const resources = await Promise.all(
    Object.entries(filters).map(async ([name, { failure = "close", ...behaviour }]) => {
      const { file, digest } = await compileModule(envoy.scratch, behaviour);
      return [name, { digest, resource: wasmFilter({ name, rootId: "", digest, file, failure }) }] as const;
    }),
  );
  const backend = onThisMachine("httpbin", upstream);
  const routes = names.map((name) => ({ name, path: `/${name}`, backend, rewrite: true }));
  await applyConfiguration({
    directory,
    admin: `http://127.0.0.1:${envoy.admin}`,
    log: envoy.log,
    process: String(envoy.pid),
    clusters: [cluster(backend)],
    listeners: [
      listener({ directory, port, routes, filters: names.map((name) => ({ name, target: { route: name } })) }),
    ],
    filters: Object.fromEntries(resources),
  });
}

const fine = (value: string): Filter => ({ value });
const isBroken = (what: string): Filter => (broken[what] as { behaviour: Behaviour }).behaviour;

const bytes = (text: string) => `memory.data<u8>([${[...Buffer.from(text)].join(", ")}])`;

/** `say()` logs the text at the level: 4 is error, 5 critical. */
const saying = (text: string, level: number) => `
  @external("env", "proxy_log") declare function log(level: u32, at: usize, size: usize): u32;
  const text = ${bytes(text)};
  function say(): void { log(${level}, text, ${Buffer.byteLength(text)}); }`;

/** Says it when it is configured, and every 20 ms from then on, on each thread. */
const talking = (text: string, level: number): Filter => ({
  value: "talks",
  declare: `${saying(text, level)}
    @external("env", "proxy_set_tick_period_milliseconds") declare function setTick(ms: u32): u32;
    export function proxy_on_tick(context: u32): void { say(); }`,
  onConfigure: "say(); setTick(20); return 1;",
});

/** Writes it to standard error, as runtimes do with their panics. */
const panicking = (text: string): Filter => ({
  value: "panics",
  declare: `
    @external("wasi_snapshot_preview1", "fd_write")
    declare function write(fd: u32, iovs: usize, count: usize, written: usize): u32;
    const text = ${bytes(text)};
    const iovs = memory.data(16);`,
  onConfigure: `
    store<usize>(iovs, text);
    store<usize>(iovs + 4, ${Buffer.byteLength(text)});
    write(2, iovs, 1, iovs + 8);
    return 1;`,
});

/** How Envoy tells of a module that did not start. */
const envoysOwn = [
  "[2026-01-01 00:00:00.000][1][error][wasm] [source/extensions/common/wasm/wasm_vm.cc:38] Function: proxy_on_configure failed: Uncaught RuntimeError: unreachable",
  "[2026-01-01 00:00:00.000][1][critical][wasm] [source/extensions/common/wasm/wasm.cc:626] Plugin other failed to load",
].join("\n");

describe("what a module says", () => {
  it.each([
    ["at level critical", talking("all is lost", 5)],
    ["in the form of Envoy's own lines", talking(`see:\n${envoysOwn}`, 5)],
    ["in that form, at level error", talking(`\n${envoysOwn}\n`, 4)],
    ["in Envoy's words", talking("Function: proxy_on_configure failed: Uncaught RuntimeError: unreachable", 4)],
    ["on standard error", panicking(`panic: no\n\n${envoysOwn}`)],
  ])("%s fails neither its own filter nor another, and no removal", async (_what, loud) => {
    await apply({ loud });
    await apply({ loud, other: fine("one") });
    await apply({ loud, other: fine("two") });
    expect((await envoy.get("/loud")).headers["x-test"]).toBe(loud.value);
    expect((await envoy.get("/other")).headers["x-test"]).toBe("two");
    await apply({ other: fine("two") });
    await apply({});
  });

  it.each([
    ["traps at start", /proxy_on_context_create failed: Uncaught RuntimeError: unreachable/],
    ["imports what Envoy does not have", /missing import: env.proxy_dance/],
  ])("does not hide that another module %s", async (what, says) => {
    const loud = talking(`\n${envoysOwn}`, 5);
    await apply({ loud, other: fine("one") });
    const changed = await apply({ loud, other: isBroken(what) }).catch((error: Error) => error.message);
    expect(changed).toMatch(/^Envoy refuses filter "other", and goes on with what it had\. It says:\n/);
    expect(changed).toMatch(says);
    expect(changed).not.toMatch(/wasm log|Function: proxy_on_configure/);
    await expect(apply({ loud, other: fine("one"), third: isBroken(what) })).rejects.toThrow(says);
    await apply({});
  });

  it("is told beside Envoy's reason where it is the refused module's", async () => {
    const declare = saying("header_1 has to be a text", 4);
    const refusing = { value: "no", declare, onConfigure: "say(); return 0;" };
    await expect(apply({ loud: talking("all is lost", 5), refusing })).rejects.toThrow(
      /It says:\n[\s\S]*Failed to configure base Wasm plugin[\s\S]*\nThe module said:\n {2}\[error\] header_1 has to be a text\nIts log: /,
    );
  });
});

it("a filter that fails to be loaded anew after a trap fails no other's change", async () => {
  const key = "dead";
  // Traps in its first request, and whenever it is to start after that.
  const reloading: Filter = {
    value: "no",
    failure: "reload",
    declare: `
      @external("env", "proxy_get_shared_data")
      declare function get(key: usize, size: usize, at: usize, sizeAt: usize, cas: usize): u32;
      @external("env", "proxy_set_shared_data")
      declare function set(key: usize, size: usize, at: usize, valueSize: usize, cas: u32): u32;
      const key = ${bytes(key)};
      const out = memory.data(16);`,
    onConfigure: `if (get(key, ${key.length}, out, out + 4, out + 8) == 0) unreachable(); return 1;`,
    onResponse: `set(key, ${key.length}, key, ${key.length}, 0); unreachable();`,
  };
  await apply({ reloading, other: fine("0") });
  const traffic = new Traffic(`http://127.0.0.1:${envoy.gateway}/reloading`);
  const reloads = async () => (await envoy.stat("wasm.reloading.vm_reload_failure")) ?? 0;
  await expect.poll(reloads, { timeout: 20_000 }).toBeGreaterThan(0);
  // Each thread tries once a second.
  for (let i = 1; (await reloads()) < 6; i++) await apply({ reloading, other: fine(String(i)) });
  await traffic.stop();
  await apply({});
});
