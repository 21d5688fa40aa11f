import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { cluster, listener } from "../../components/mesh/standalone/envoy.ts";
import { wasmFilter } from "../../components/mesh/wasm-filter.ts";
import { onThisMachine } from "../../components/workloads/backend.ts";
import { applyConfiguration } from "../../provider/envoy-configuration.ts";
import { type BuiltModule, buildModule } from "../../toolchain/build.ts";
import { resolveModule } from "../../toolchain/source.ts";
import { freePorts } from "../ports.ts";
import { RealEnvoy } from "./real-envoy.ts";

let built: string;
let module: BuiltModule;
let envoy: RealEnvoy;
/** A port where nobody listens. */
let nobody: number;

beforeAll(async () => {
  built = await mkdtemp(join(tmpdir(), "meshup-shared-"));
  module = await buildModule(await resolveModule("filter"), built);
  envoy = await RealEnvoy.start();
  [nobody] = (await freePorts(1)) as [number];
});

afterAll(async () => {
  await envoy.stop();
  await rm(built, { recursive: true });
});

/** Filters whose VM is the same, as others name their VMs: each on a route of its name. */
async function apply(configurations: Record<string, Record<string, string>>): Promise<void> {
  const { directory, gateway: port } = envoy;
  const names = Object.keys(configurations);
  const filters = Object.entries(configurations).map(([name, configuration]) => {
    const args = {
      name,
      rootId: "add_header_root",
      digest: module.sha256,
      file: module.path,
      failure: "close" as const,
    };
    const resource = wasmFilter({ ...args, configuration: JSON.stringify(configuration) });
    const { config } = resource.typed_config as { config: { vm_config: { vm_id: string } } };
    config.vm_config.vm_id = "shared";
    return [name, { digest: module.sha256, resource }] as const;
  });
  const upstream = onThisMachine("httpbin", nobody);
  await applyConfiguration({
    directory,
    admin: `http://127.0.0.1:${envoy.admin}`,
    log: envoy.log,
    process: String(envoy.pid),
    clusters: [cluster(upstream)],
    listeners: [
      listener({
        directory,
        port,
        routes: names.map((name) => ({ name, path: `/${name}`, backend: upstream, rewrite: false })),
        filters: names.map((name) => ({ name, target: { route: name } })),
      }),
    ],
    filters: Object.fromEntries(filters),
  });
}

/** What the filters put on the answer, which is Envoy's own: that nobody is there. */
async function headers(path: string): Promise<Record<string, string>> {
  const { status, headers } = await envoy.get(path);
  expect(status).toBe(503);
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("x-test")));
}

it("filters that share a VM do not mix, and a changed configuration is the one in force", async () => {
  await apply({ one: { "x-test-one": "1" }, two: { "x-test-two": "2" } });
  for (let i = 0; i < 600; i++) {
    expect(await headers("/one")).toEqual({ "x-test-one": "1" });
    expect(await headers("/two")).toEqual({ "x-test-two": "2" });
  }
  await apply({ one: { "x-test-one": "changed" }, two: { "x-test-two": "2" } });
  await vi.waitFor(async () => expect(await headers("/one")).toEqual({ "x-test-one": "changed" }), 5000);
  for (let i = 0; i < 600; i++) {
    expect(await headers("/one")).toEqual({ "x-test-one": "changed" });
    expect(await headers("/two")).toEqual({ "x-test-two": "2" });
  }
});
