import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { KubeApi } from "../../../../kube/api.ts";
import { fakeCluster } from "../../../../kube/testing/kubernetes.ts";
import { controllerLines } from "./controller.ts";
import { complaints, digestInForce, digestOf, readDump } from "./proxies.ts";

const wasm = (policy: string, index: number, name: string, sha256: string) => ({
  name: `envoy.filters.http.wasm/envoyextensionpolicy/default/${policy}/wasm/${index}`,
  typed_config: { config: { name, vm_config: { code: { remote: { sha256 } } } } },
});
const script = "function envoy_on_response(h) end";
const lua = {
  name: "envoy.filters.http.lua/envoyextensionpolicy/default/route-two/lua/0",
  typed_config: { default_source_code: { inline_string: script } },
};
const chain = (...http_filters: object[]) => ({ filters: [{ typed_config: { http_filters } }] });
const dump = (active: object, error_state?: object) => ({
  configs: [{ name: "default/gateway/http", active_state: { listener: active }, error_state }],
});

test("what a proxy has in force: modules by their sha256, scripts by their text's; not what it only was sent", () => {
  const failed = {
    failed_configuration: chain(wasm("route-x", 0, "x", "f")),
    details: "Unable to create Wasm plugin x",
  };
  const read = readDump(
    dump(
      {
        filter_chains: [chain(wasm("route-one", 0, "a", "1"), { name: "envoy.filters.http.router" })],
        default_filter_chain: chain(wasm("route-one", 1, "b", "2"), lua),
      },
      failed,
    ) as never,
  );
  const digest = createHash("sha256").update(script).digest("hex");
  expect(read).toEqual({
    filters: [
      { kind: "wasm", policy: "default/route-one", index: 0, digest: "1", name: "a" },
      { kind: "wasm", policy: "default/route-one", index: 1, digest: "2", name: "b" },
      { kind: "lua", policy: "default/route-two", index: 0, digest },
    ],
    rejected: "Unable to create Wasm plugin x",
  });
});

test("a proxy with nothing yet", () => {
  expect(readDump({})).toEqual({ filters: [] });
  expect(readDump({ configs: [{ error_state: { details: "no" } }] })).toEqual({ filters: [], rejected: "no" });
});

test("a filter's digest: another one, on any of its routes, counts", () => {
  const served = (...filters: [string, string][]) => ({
    pod: "p",
    filters: filters.map(([name, digest], index) => ({
      kind: "wasm" as const,
      policy: "default/a",
      index,
      name,
      digest,
    })),
  });
  const filter = { name: "f", digest: "new" };
  expect(digestOf(served(["f", "new"], ["g", "old"]), filter)).toBe("new");
  expect(digestOf(served(["f", "new"], ["f", "old"]), filter)).toBe("old");
  expect(digestOf(served(["g", "new"]), filter)).toBeUndefined();
});

// As Envoy 1.40 writes them.
const at = (thread: number, level: string, source: string, text: string) =>
  `[2026-11-21 02:32:25.804][${thread}][${level}][wasm] [source/extensions/common/wasm/${source}] ${text}`;

test("the proxy's complaints, each once, without what comes with every module", () => {
  const log = [
    at(1, "warning", "wasm.cc:320", "Wasm remote code fetch is unstable and may cause a crash"),
    at(1, "info", "context.cc:1151", "wasm log add_header_root: 1 header"),
    at(1, "error", "wasm_vm.cc:38", "Function: proxy_on_configure failed: Uncaught RuntimeError: unreachable"),
    at(1, "critical", "wasm.cc:626", "Plugin f failed to load"),
    at(12, "critical", "wasm.cc:479", "Plugin configured to fail closed failed to load"),
    at(13, "critical", "wasm.cc:479", "Plugin configured to fail closed failed to load"),
    '{"start_time":"2026-11-21T02:32:25Z","response_code":503}',
  ];
  expect(complaints(log.join("\n"))).toEqual([
    "[error][wasm] Function: proxy_on_configure failed: Uncaught RuntimeError: unreachable",
    "[critical][wasm] Plugin f failed to load",
    "[critical][wasm] Plugin configured to fail closed failed to load",
  ]);
});

test("what modules and scripts say goes before Envoy's own words, and is no more than three lines", () => {
  const script = "[2026-11-21 02:32:25.804][1][error][lua] [source/a.cc:1] script log: no";
  const loud = (n: number) =>
    at(12, "critical", "context.cc:1160", `wasm log root f@sha256:d: Plugin f failed to load ${n}`);
  const own = at(1, "critical", "wasm.cc:626", "Plugin f failed to load");
  expect(complaints([own, script, ...[1, 2, 3].map(loud)].join("\n"))).toEqual([
    ...[1, 2, 3].map((n) => `[critical][wasm] wasm log root f@sha256:d: Plugin f failed to load ${n}`),
    "[critical][wasm] Plugin f failed to load",
  ]);
});

test("a second filter of a module that is still on its way is no failure; one that fails by itself is", () => {
  const alarm = [
    at(1, "warning", "wasm.cc:344", "createWasm: failed to load (in progress) from https://envoy-gateway/a.wasm"),
    at(1, "critical", "wasm.cc:626", "Plugin b failed to load"),
    at(1, "critical", "wasm.cc:479", "Plugin configured to fail closed failed to load"),
    at(1, "warning", "wasm.cc:353", "createWasm: failed to load (cached) from https://envoy-gateway/a.wasm"),
    at(1, "critical", "wasm.cc:626", "Plugin b failed to load"),
  ];
  expect(complaints(alarm.join("\n"))).toEqual([]);
  const real = at(1, "error", "wasm_vm.cc:38", "Function: _start failed");
  const failed = at(1, "critical", "wasm.cc:626", "Plugin b failed to load");
  expect(complaints([...alarm, real, failed].join("\n"))).toEqual([
    "[error][wasm] Function: _start failed",
    "[critical][wasm] Plugin b failed to load",
  ]);
});

test("Envoy Gateway's lines about a policy, about modules, and about what proxies refuse", () => {
  const line = (...parts: string[]) => ["2026-11-21T02:33:07.901Z", ...parts].join("\t");
  const log = [
    line("info", "wasm-cache", "wasm/imagefetcher.go:126", "fetching image", "{}"),
    line("error", "wasm-cache", "wasm/httpserver.go:189", "Failed to get Wasm module", '{"error": "MANIFEST_UNKNOWN"}'),
    line("error", "gateway-api", "a.go:1", "failed", '{"policy": "default/route-two"}'),
    line("error", "xds", "c.go:396", "Envoy rejected the last update"),
  ];
  expect(controllerLines(log.join("\n"), "default/route-one")).toEqual([
    'Failed to get Wasm module {"error": "MANIFEST_UNKNOWN"}',
    "Envoy rejected the last update",
  ]);
  expect(controllerLines(log.join("\n"), "default/route-two")).toHaveLength(3);
});

const pod = (name: string) => ({
  metadata: { name, namespace: "envoy-gateway-system", uid: `uid-of-${name}` },
  status: { conditions: [{ type: "Ready", status: "True" }] },
});
const withModule = (sha256: string) => dump({ filter_chains: [chain(wasm("route-one", 0, "custom", sha256))] });
const custom = { name: "custom", digest: "new" };

/** @param dumps what each proxy has, by its pod */
async function proxies(dumps: Record<string, () => unknown>): Promise<KubeApi> {
  const names = Object.keys(dumps);
  const { kubeconfig } = await fakeCluster(
    { "GET /api/v1/namespaces/envoy-gateway-system/pods": () => ({ items: names.map(pod) }) },
    Object.fromEntries(
      names.map((name) => [`${name}:19000 /config_dump?resource=dynamic_listeners`, dumps[name] as () => unknown]),
    ),
  );
  return KubeApi.open(kubeconfig);
}

test("the digest that the proxies run: the built one, another one, none", async () => {
  let found: unknown = withModule("new");
  const api = await proxies({ "envoy-1": () => found });
  expect(await digestInForce(api, custom)).toBe("new");
  found = withModule("old");
  expect(await digestInForce(api, custom)).toBe("old");
  found = {};
  expect(await digestInForce(api, custom)).toBeUndefined();
});

test("of two proxies the one that runs another module counts, and one that runs none", async () => {
  let second: unknown = withModule("old");
  const api = await proxies({ "envoy-1": () => withModule("new"), "envoy-2": () => second });
  expect(await digestInForce(api, custom)).toBe("old");
  second = {};
  expect(await digestInForce(api, custom)).toBeUndefined();
});

test("without a proxy that is ready there is no digest to be had", async () => {
  await expect(digestInForce(await proxies({}), custom)).rejects.toThrow(
    /no proxy of Gateway default\/gateway is ready/,
  );
});
