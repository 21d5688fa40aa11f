import { rename, stat, truncate } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cluster, listener } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { onThisMachine } from "../../components/workloads/backend.ts";
import { UserError } from "../../lib/errors.ts";
import type { EnvoyConfigurationInputs } from "../../provider/envoy-configuration.ts";
import { applyConfiguration, isApplied } from "../../provider/envoy-configuration.ts";
import { type Behaviour, bigModule, broken, compileModule, type TestModule } from "../modules.ts";
import { freePorts } from "../ports.ts";
import { RealEnvoy } from "./real-envoy.ts";

/** An Envoy that says nothing for a while, or that nobody can hear. */
let envoy: RealEnvoy;
beforeEach(async () => {
  envoy = await RealEnvoy.start();
});
afterEach(async () => {
  signal("SIGCONT");
  await envoy.stop();
});

const signal = (name: NodeJS.Signals) => envoy.runs && process.kill(envoy.pid as number, name);

/** One filter on a route, whose upstream nobody is. */
async function inputsFor({ file, digest }: TestModule): Promise<EnvoyConfigurationInputs> {
  const { directory, gateway: port } = envoy;
  const backend = onThisMachine("httpbin", ((await freePorts(1)) as [number])[0]);
  const routes = [{ name: "one", path: "/one", backend, rewrite: true }];
  return {
    directory,
    admin: `http://127.0.0.1:${envoy.admin}`,
    log: envoy.log,
    process: String(envoy.pid),
    clusters: [cluster(backend)],
    listeners: [listener({ directory, port, routes, filters: [{ name: "one", target: { route: "one" } }] })],
    filters: { one: { digest, resource: wasmFilter({ name: "one", rootId: "", digest, file, failure: "close" }) } },
  };
}

const compile = (behaviour: Behaviour) => compileModule(envoy.scratch, behaviour);
const trapsAtStart = () => compile((broken["traps at start"] as { behaviour: Behaviour }).behaviour);
const header = async () => (await envoy.get("/one")).headers["x-test"];

describe("an Envoy that is busy", () => {
  it("is waited for while it compiles a large module", async () => {
    await applyConfiguration(await inputsFor(await bigModule(envoy.scratch, 4)));
    expect(await header()).toBe("big");
  });

  it("is waited for however long it does not answer, and the person is told", async () => {
    await applyConfiguration(await inputsFor(await compile({ value: "old" })));
    const [inputs, said] = [await inputsFor(await compile({ value: "new" })), [] as string[]];
    signal("SIGSTOP");
    let done = false;
    const change = applyConfiguration(inputs, { say: (text) => said.push(text) }).finally(() => {
      done = true;
    });
    await expect.poll(() => said, { timeout: 20_000 }).toEqual([expect.stringMatching(/^Envoy \(pid \d+\) is busy/)]);
    expect(done).toBe(false);
    signal("SIGCONT");
    await change;
    await expect.poll(header).toBe("new");
  });

  it("is waited for until the person stops it, and then goes on with what it had", async () => {
    const old = await inputsFor(await compile({ value: "old" }));
    await applyConfiguration(old);
    const stopping = new AbortController();
    const inputs = { ...old, filters: (await inputsFor(await compile({ value: "new" }))).filters };
    signal("SIGSTOP");
    const change = applyConfiguration(inputs, { signal: stopping.signal });
    setTimeout(() => stopping.abort(new UserError("cancelled")), 500);
    await expect(change).rejects.toThrow("cancelled");
    expect(await isApplied(old)).toBe(true);
    signal("SIGCONT");
    expect(await header()).toBe("old");
  });

  it("is waited for until it ends, and its last words are told", async () => {
    await applyConfiguration(await inputsFor(await compile({ value: "old" })));
    const inputs = await inputsFor(await compile({ value: "new" }));
    signal("SIGSTOP");
    const change = applyConfiguration(inputs);
    setTimeout(() => signal("SIGKILL"), 500);
    await expect(change).rejects.toThrow(/^Envoy \(pid \d+\) has ended meanwhile\.\nIts log /);
  });
});

describe("Envoy's log", () => {
  it("of 3 GiB hides no trap at start, and is long no more", async () => {
    await truncate(envoy.log, 3 * 1024 ** 3);
    await expect(applyConfiguration(await inputsFor(await trapsAtStart()))).rejects.toThrow(
      /It says:\n[\s\S]*proxy_on_context_create failed: Uncaught RuntimeError: unreachable/,
    );
    expect((await stat(envoy.log)).size).toBeLessThan(1024 * 1024);
  });

  it("that cannot be read is an error, and nothing is changed", async () => {
    const old = await inputsFor(await compile({ value: "old" }));
    await applyConfiguration(old);
    await rename(envoy.log, `${envoy.log}.moved`);
    await expect(applyConfiguration(await inputsFor(await trapsAtStart()))).rejects.toThrow(
      /^the log .*envoy\.log cannot be read: ENOENT/,
    );
    expect(await isApplied(old)).toBe(true);
    expect(await header()).toBe("old");
  });
});
