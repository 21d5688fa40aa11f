import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Agent, createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cluster, listener } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { onThisMachine } from "../../components/workloads/backend.ts";
import type { Resource } from "../../envoy/discovery.ts";
import type { EnvoyConfigurationInputs } from "../../provider/envoy-configuration.ts";
import { applyConfiguration, isApplied, removeConfiguration } from "../../provider/envoy-configuration.ts";
import { type Behaviour, broken, compileModule } from "../modules.ts";
import { freePorts } from "../ports.ts";
import { RealEnvoy } from "./real-envoy.ts";
import { Traffic } from "./traffic.ts";

let envoy: RealEnvoy;
let upstream: number;
let server: Server;

beforeEach(async () => {
  [upstream] = (await freePorts(1)) as [number];
  server = await answerEverything(upstream);
  envoy = await RealEnvoy.start();
});

afterEach(async () => {
  await envoy.stop();
  server.close();
});

describe("a configuration for a running Envoy", () => {
  it("is served once it is applied, and only on the routes that it is for", async () => {
    await apply({ one: { value: "first" } });
    expect((await envoy.get("/one")).headers["x-test"]).toBe("first");
    expect((await envoy.get("/two")).headers["x-test"]).toBeUndefined();
    expect((await envoy.get("/elsewhere")).status).toBe(404);
  });

  it("replaces a module while requests flow, and drops none", async () => {
    await apply({ one: { value: "old" } });
    const pid = envoy.pid;
    const agent = new Agent({ keepAlive: true }); // the connection outlives each change
    const traffic = new Traffic(url("/one"), agent);
    for (const value of ["new", "newer", "newest"]) {
      await apply({ one: { value } });
      expect((await envoy.get("/one")).headers["x-test"]).toBe(value);
    }
    const { answers, failures } = await traffic.stop();
    expect(failures).toEqual([]);
    expect(answers).toBeGreaterThan(0);
    expect(envoy.pid).toBe(pid);
    expect(envoy.runs).toBe(true);
  });

  it("gains and loses filters and routes while requests flow, and drops none", async () => {
    await apply({ one: { value: "a" } });
    const traffic = new Traffic(url("/one"));
    await apply({ one: { value: "a" }, two: { value: "b" } });
    expect((await envoy.get("/two")).headers["x-test"]).toBe("b");
    await apply({ two: { value: "b" } });
    expect((await envoy.get("/one")).headers["x-test"]).toBeUndefined();
    expect(existsSync(join(envoy.directory, "filters/one/config.json"))).toBe(false);
    await apply({ one: { value: "again" }, two: { value: "b" } });
    expect((await envoy.get("/one")).headers["x-test"]).toBe("again");
    expect((await traffic.stop()).failures).toEqual([]);
  });

  it("is found again by an Envoy that starts anew", async () => {
    const inputs = await apply({ one: { value: "kept" } });
    await envoy.kill();
    await envoy.launch();
    await applyConfiguration(inputs);
    expect((await envoy.get("/one")).headers["x-test"]).toBe("kept");
  });

  it("knows when somebody has changed its files", async () => {
    const inputs = await apply({ one: { value: "mine" } });
    expect(await isApplied(inputs)).toBe(true);
    await writeFile(join(envoy.directory, "filters/one/config.json"), "{}");
    expect(await isApplied(inputs)).toBe(false);
    await applyConfiguration(inputs);
    expect(await isApplied(inputs)).toBe(true);
  });

  it("is gone when it is removed: nothing listens any more", async () => {
    await apply({ one: { value: "a" } });
    await removeConfiguration(envoy.directory);
    await expect.poll(() => envoy.get("/one").catch((error) => error.code)).toBe("ECONNREFUSED");
  });
});

describe("a module that traps in a request", () => {
  const trap = { value: "no", onResponse: "unreachable();" };

  it("lets every request pass with failure: open", async () => {
    await apply({ one: trap }, "open");
    for (let i = 0; i < 10; i++) expect((await envoy.get("/one")).status).toBe(200);
  });

  it("answers 503 to every request with failure: close", async () => {
    await apply({ one: trap }, "close");
    for (let i = 0; i < 10; i++) expect((await envoy.get("/one")).status).toBe(503);
    expect((await envoy.get("/two")).status).toBe(200);
  });
});

describe("what Envoy refuses", () => {
  for (const failure of ["open", "close"] as const) {
    for (const [what, { behaviour, says }] of Object.entries(broken)) {
      it(`a new module that ${what} (failure: ${failure}) leaves the old one serving`, async () => {
        await apply({ one: { value: "old" } });
        const traffic = new Traffic(url("/one"));
        await expect(apply({ one: behaviour }, failure)).rejects.toThrow(says);
        await expect.poll(async () => (await envoy.get("/one")).headers["x-test"]).toBe("old");
        await apply({ one: { value: "mended" } });
        expect((await envoy.get("/one")).headers["x-test"]).toBe("mended");
        const { failures } = await traffic.stop();
        // A module that traps at start is found out only by running it: with "close" it may have cost requests.
        if (what !== "traps at start") expect(failures).toEqual([]);
      });
    }
  }

  it.each(Object.entries(broken))(
    "a first module that %s leaves no listener behind",
    async (_what, { behaviour, says }) => {
      await expect(apply({ one: behaviour })).rejects.toThrow(says);
      await apply({ one: { value: "mended" } });
      expect((await envoy.get("/one")).headers["x-test"]).toBe("mended");
    },
  );

  it("a second filter that is broken does not harm the first", async () => {
    await apply({ one: { value: "fine" } });
    const bad = (broken["imports what Envoy does not have"] as { behaviour: Behaviour }).behaviour;
    await expect(apply({ one: { value: "fine" }, two: bad })).rejects.toThrow(/the new filter "two"[\s\S]*proxy_dance/);
    expect((await envoy.get("/one")).headers["x-test"]).toBe("fine");
    expect((await envoy.get("/two")).status).toBe(200);
  });

  it("a listener on a port that is taken is refused in Envoy's words", async () => {
    const [port] = (await freePorts(1)) as [number];
    const squatter = await answerEverything(port);
    const inputs = await makeInputs({ one: { value: "a" } });
    (inputs.listeners[0] as Resource).address = { socket_address: { address: "127.0.0.1", port_value: port } };
    await expect(applyConfiguration(inputs)).rejects.toThrow(/cannot bind '127\.0\.0\.1:\d+': Address already in use/);
    squatter.close();
  });

  it("a route to a cluster that is not there is refused in Envoy's words", async () => {
    const inputs = await makeInputs({});
    inputs.clusters = [cluster(onThisMachine("another", upstream))];
    await expect(applyConfiguration(inputs)).rejects.toThrow(/httpbin/);
  });

  it("a field of a wrong kind is refused in Envoy's words", async () => {
    const inputs = await makeInputs({});
    (inputs.clusters[0] as Resource).connect_timeout = "soon";
    await expect(applyConfiguration(inputs)).rejects.toThrow(/refuses its clusters[\s\S]*connect_timeout/);
  });
});

const url = (path: string) => `http://127.0.0.1:${envoy.gateway}${path}`;

async function makeInputs(
  behaviours: Record<string, Behaviour>,
  failure: "open" | "close" = "close",
): Promise<EnvoyConfigurationInputs> {
  const directory = envoy.directory;
  const filters = await Promise.all(
    Object.entries(behaviours).map(async ([name, behaviour]) => {
      const { file, digest } = await compileModule(envoy.scratch, behaviour);
      return [name, { digest, resource: wasmFilter({ name, rootId: "", digest, file, failure }) }] as const;
    }),
  );
  const routes = ["one", "two"].map((name) => ({
    name,
    path: `/${name}`,
    backend: onThisMachine("httpbin", upstream),
    rewrite: true,
  }));
  return {
    directory,
    admin: `http://127.0.0.1:${envoy.admin}`,
    log: envoy.log,
    process: String(envoy.pid),
    clusters: [cluster(onThisMachine("httpbin", upstream))],
    listeners: [
      listener({
        directory,
        port: envoy.gateway,
        routes,
        filters: Object.keys(behaviours).map((name) => ({ name, target: { route: name } })),
      }),
    ],
    filters: Object.fromEntries(filters),
  };
}

async function apply(behaviours: Record<string, Behaviour>, failure?: "open" | "close") {
  const inputs = await makeInputs(behaviours, failure);
  await applyConfiguration(inputs);
  return inputs;
}

async function answerEverything(port: number): Promise<Server> {
  const server = createServer((_request, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return server;
}
