import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { cluster, listener } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { type Backend, onThisMachine } from "../../components/workloads/backend.ts";
import { configurationText, type FilterCase, loadCases, type Observed, runCase } from "../../host/cases/cases.ts";
import { hostSend } from "../../host/cases/host-cases.ts";
import { UserError } from "../../lib/errors.ts";
import { headerRecord, inHeaderBytes } from "../../lib/header-text.ts";
import { headerLimit, httpRequest } from "../../lib/http.ts";
import { root } from "../../lib/paths.ts";
import { applyConfiguration } from "../../provider/envoy-configuration.ts";
import { type BuiltModule, buildModule } from "../../toolchain/build.ts";
import { resolveModule } from "../../toolchain/source.ts";
import { freePorts } from "../ports.ts";
import { RealEnvoy } from "./real-envoy.ts";

/** The same cases in both: what holds in the host in Node must hold in the real Envoy. A person's own filters as well. */
const own = existsSync(join(root, "filters")) ? readdirSync(join(root, "filters")) : [];
const suites = [
  ...readdirSync(join(root, "filter/cases")).map((file) => ({ module: "filter", cases: `filter/cases/${file}` })),
  ...own.map((name) => ({ module: `filters/${name}`, cases: `filters/${name}/cases.yaml` })),
].filter(({ cases }) => existsSync(join(root, cases)));

let built: string;
let envoy: RealEnvoy;
const modules = new Map<string, BuiltModule>();
const servers: Server[] = [];

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), "meshup-cases-"));
  for (const { module } of suites)
    if (!modules.has(module)) modules.set(module, await buildModule(await resolveModule(module), built));
  envoy = await RealEnvoy.start();
});

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

afterAll(async () => {
  await envoy.stop();
  await rm(built, { recursive: true });
});

describe.each(suites)("$cases", ({ module, cases }) => {
  const all = loadCases(join(root, cases));

  it.each(all)("in the host: $name", async (filterCase) => {
    const { path } = modules.get(module) as BuiltModule;
    const send = hostSend({ wasm: readFileSync(path), rootId: "" });
    expect(await runCase(filterCase, send)).toEqual([]);
  });

  it.each(all)("in Envoy: $name", async (filterCase) => {
    const send = (c: FilterCase) => throughEnvoy(c, modules.get(module) as BuiltModule);
    expect(await runCase(filterCase, send)).toEqual([]);
  });
});

async function throughEnvoy(filterCase: FilterCase, module: BuiltModule): Promise<Observed> {
  const { size: offset } = await stat(envoy.log);
  const { upstream = {}, clusters = {}, request = {}, advance = 0 } = filterCase;
  const seen: Record<string, string>[] = [];
  const upstreamPort = await serve({ status: 200, ...upstream }, seen);
  const called = await Promise.all(
    Object.entries(clusters).map(async ([name, answer]) => {
      const port = "down" in answer ? ((await freePorts(1)) as [number])[0] : await serve({ status: 200, ...answer });
      return cluster(onThisMachine(name, port));
    }),
  );
  try {
    await apply(filterCase, module, onThisMachine("upstream", upstreamPort), called);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { refused: error.message, logs: await envoy.moduleLogs(offset) };
  }
  await sleep(advance);
  const { path = "/", ...exchange } = request;
  const response = await httpRequest({ url: `http://127.0.0.1:${envoy.gateway}/case${path}`, ...exchange });
  const [headers] = seen;
  return { response, ...(headers && { request: { headers } }), logs: await envoy.moduleLogs(offset) };
}

/** Each case in a VM of its own, as in the host: its filter has a name of its own. */
let count = 0;
async function apply(
  filterCase: FilterCase,
  { path, sha256 }: BuiltModule,
  upstream: Backend,
  called: ReturnType<typeof cluster>[],
) {
  const name = `case-${count++}`;
  const { directory, gateway: port } = envoy;
  const filter = { name, rootId: filterCase.root ?? "", digest: sha256, file: path, failure: "close" as const };
  await applyConfiguration({
    directory,
    admin: `http://127.0.0.1:${envoy.admin}`,
    log: envoy.log,
    process: String(envoy.pid),
    clusters: [cluster(upstream), ...called],
    listeners: [
      listener({
        directory,
        port,
        routes: [{ name: "case", path: "/case", backend: upstream, rewrite: true }],
        filters: [{ name, target: { gateway: true } }],
      }),
    ],
    filters: {
      [name]: { digest: sha256, resource: wasmFilter({ ...filter, configuration: configurationText(filterCase) }) },
    },
  });
}

/** A server that answers everything in one way, and notes the headers of what it was asked. @returns its port */
async function serve(
  answer: { status?: number; headers?: Record<string, string>; body?: string },
  seen: Record<string, string>[] = [],
): Promise<number> {
  const server = createServer(headerLimit, (request, response) => {
    seen.push(headerRecord(request.rawHeaders));
    request.resume();
    response.writeHead(answer.status ?? 200, inHeaderBytes(answer.headers ?? {}));
    response.end(answer.body && Buffer.from(answer.body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as { port: number }).port;
}
