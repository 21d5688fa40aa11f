import { describe, expect, test } from "vitest";
import { advice } from "../../../../kube/advice.ts";
import { KubeApi } from "../../../../kube/api.ts";
import { type Answers, fakeCluster } from "../../../../kube/testing/kubernetes.ts";
import type { FilterReadyInputs } from "../../../../provider/filter-ready.ts";
import { filterReadyType } from "../../../../provider/filter-ready.ts";
import { complaintLines } from "./proxies.ts";
import { isInForce, known, waitForProxies } from "./ready.ts";

const digest = "d905f08db4f153c8edb258ffc13c4acda592529c63f267d5ff969ea9b514c5a5";
const envoyName = "extensions.istio.io/trafficextension/default.add~istio-translated-wasmplugin";
const pods = "GET /api/v1/namespaces/default/pods";
const callouts = "PATCH /apis/networking.istio.io/v1alpha3/namespaces/istio-system/envoyfilters/callouts";

const pod = (name: string, { app = "echo", ready = true, sidecar = true } = {}) => ({
  metadata: { name, namespace: "default", uid: `${name}-${Math.random()}`, labels: { app } },
  spec: { containers: [{ name: app }], initContainers: sidecar ? [{ name: "istio-proxy" }] : [] },
  status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});
const inputs = (kubeconfig: string, more: Partial<FilterReadyInputs> = {}): FilterReadyInputs => ({
  kubeconfig,
  filter: "add",
  namespace: "default",
  selector: { app: "echo" },
  envoyName,
  digest,
  failure: "close",
  version: "uid@1",
  timeoutMs: 300,
  ...more,
});

const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.http.${name}`;
const module = (sha256: string) => ({
  "@type": type("wasm.v3.Wasm"),
  config: { vm_config: { code: { local: { filename: `/var/lib/istio/data/0f/${sha256}.wasm` } } } },
});
const standIn = { "@type": type("rbac.v3.RBAC"), rules_stat_prefix: "wasm-default-deny" };
/** What the pods' proxies have, each time that they are asked. */
const proxies = (names: string[], filters: () => object[]) =>
  Object.fromEntries(
    names.flatMap((name) => [
      [`${name}:15000 /config_dump?resource=dynamic_listeners`, () => ({})],
      [
        `${name}:15000 /config_dump?resource=ecds_filters`,
        () => ({ configs: filters().map((typed_config) => ({ ecds_filter: { name: envoyName, typed_config } })) }),
      ],
    ]),
  );
const cluster = (list: () => object[], filters: () => object[], more: Answers = {}) =>
  fakeCluster({ [pods]: () => ({ items: list() }), ...more }, proxies(["a", "b"], filters));

describe("a filter is in force", () => {
  test("where every proxy that takes traffic runs the very module", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a"), pod("b")],
      () => [module(digest)],
    );
    expect(await waitForProxies(inputs(kubeconfig))).toEqual({ proxies: ["a", "b"], warnings: [] });
    expect(await filterReadyType.hasDrifted?.({ warnings: [] } as never, inputs(kubeconfig), {} as never)).toBe(false);
  });

  test("only once the old module has gone from all of them", async () => {
    let asked = 0;
    const { kubeconfig } = await cluster(
      () => [pod("a")],
      () => [module(++asked > 2 ? digest : "0".repeat(64))],
    );
    expect((await waitForProxies(inputs(kubeconfig, { timeoutMs: 5000 }))).proxies).toEqual(["a"]);
    expect(asked).toBe(3);
  });

  test("a pod without a sidecar beside one that has it is told of", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a"), pod("b", { sidecar: false })],
      () => [module(digest)],
    );
    const { proxies, warnings } = await waitForProxies(inputs(kubeconfig));
    expect(proxies).toEqual(["a"]);
    expect(warnings).toEqual([expect.stringContaining('"add": b in namespace default have no sidecar')]);
  });

  test("a selector that matches no pod is a warning that says what there is", async () => {
    const { kubeconfig } = await fakeCluster({
      [pods]: (query) => ({ items: query.get("labelSelector") ? [] : [pod("a", { app: "httpbin" }), pod("b")] }),
    });
    const { warnings } = await waitForProxies(inputs(kubeconfig, { selector: { app: "ecko" } }));
    expect(warnings).toEqual([
      'filter "add": no pod in namespace default has app=ecko; there are app=echo, app=httpbin',
    ]);
  });
});

test("a warning that no longer holds is a drift, so that the next up forgets it", async () => {
  const { kubeconfig } = await cluster(
    () => [pod("a")],
    () => [module(digest)],
  );
  const olds = { warnings: ['filter "add": no pod has app=echo'] };
  expect(await filterReadyType.hasDrifted?.(olds as never, inputs(kubeconfig), {} as never)).toBe(true);
});

test("a selector without pods is no drift, but nobody runs the filter", async () => {
  const { kubeconfig } = await fakeCluster({ [pods]: () => ({ items: [] }) });
  const { warnings } = await waitForProxies(inputs(kubeconfig));
  expect(await filterReadyType.hasDrifted?.({ warnings } as never, inputs(kubeconfig), {} as never)).toBe(false);
  expect(await isInForce(await KubeApi.open(kubeconfig), inputs(kubeconfig))).toBe(false);
});

test("a proxy that does not answer is asked again", async () => {
  let asked = 0;
  const { kubeconfig } = await cluster(
    () => [pod(++asked > 1 ? "a" : "gone")],
    () => [module(digest)],
  );
  expect((await waitForProxies(inputs(kubeconfig, { timeoutMs: 5000 }))).proxies).toEqual(["a"]);
});

describe("a filter is not in force", () => {
  test("with another module: which proxy has which", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a")],
      () => [module("0".repeat(64))],
    );
    await expect(waitForProxies(inputs(kubeconfig))).rejects.toThrow(
      `filter "add": the proxy a (has sha256:${"0".repeat(64)}) is without it after 0.3 s`,
    );
  });

  test("without the filter", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a")],
      () => [],
    );
    await expect(waitForProxies(inputs(kubeconfig))).rejects.toThrow("the proxy a (does not have it) is without it");
  });

  test("where no pod is ready", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a", { ready: false })],
      () => [],
    );
    await expect(waitForProxies(inputs(kubeconfig))).rejects.toThrow("the proxy a (not ready)");
  });

  test("where no pod has a sidecar: what to do", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a", { sidecar: false })],
      () => [],
    );
    await expect(waitForProxies(inputs(kubeconfig))).rejects.toThrow("rollout restart");
  });

  test("where its module could not be fetched: asked for again, and then the proxy's own words", async () => {
    const log = "2026-11-21T12:00:00Z\terror\twasm\tcannot fetch Wasm module oci://r/f: dial tcp: connection refused";
    const { kubeconfig, asked } = await cluster(
      () => [pod("a")],
      () => [standIn],
      { "GET /api/v1/namespaces/default/pods/a/log": () => log, [callouts]: () => ({}) },
    );
    const failed = waitForProxies(inputs(kubeconfig, { timeoutMs: 30_000 }));
    await expect(failed).rejects.toThrow(
      [
        'filter "add": the proxy a cannot fetch it; requests are answered 403',
        "  the proxy's log:",
        "    [error][wasm] cannot fetch Wasm module oci://r/f: dial tcp: connection refused",
        "  Where it is fetched from does not answer inside the cluster: once it runs, run `up` again.",
      ].join("\n"),
    );
    expect(asked.filter((request) => request === callouts)).toHaveLength(3);
  });

  test("and the next up mends it once the registry is back", async () => {
    let fetched = false;
    const { kubeconfig } = await cluster(
      () => [pod("a")],
      () => [fetched ? module(digest) : standIn],
      {
        [callouts]: () => {
          fetched = true;
          return {};
        },
      },
    );
    expect(await filterReadyType.hasDrifted?.({} as never, inputs(kubeconfig), {} as never)).toBe(true);
    expect((await waitForProxies(inputs(kubeconfig, { timeoutMs: 30_000 }))).proxies).toEqual(["a"]);
  });

  test("where the cluster does not answer", async () => {
    const { kubeconfig, stop } = await cluster(
      () => [],
      () => [],
    );
    await stop();
    await expect(waitForProxies(inputs(kubeconfig))).rejects.toThrow("does not answer");
    expect(await filterReadyType.hasDrifted?.({} as never, inputs(kubeconfig), {} as never)).toBe(true);
  });

  test("where it is cancelled", async () => {
    const { kubeconfig } = await cluster(
      () => [pod("a")],
      () => [],
    );
    await expect(waitForProxies(inputs(kubeconfig), AbortSignal.abort())).rejects.toThrow("cancelled");
  });
});

test("the proxy's complaints, each once, without Envoy's file and thread", () => {
  const at = (...parts: string[]) => ["2026-11-21T12:00:00.000000Z", ...parts].join("\t");
  const log = [
    at("info", "wasm", "fetched"),
    at("error", "envoy wasm external/envoy/source/wasm_vm.cc:38", "Function: _start failed", "thread=19"),
    at("error", "envoy wasm external/envoy/source/wasm_vm.cc:38", "Function: _start failed", "thread=20"),
    at("warning", "envoy config external/envoy/a.cc:1", "gRPC config for listeners rejected", "thread=1"),
    at("warning", "envoy main external/envoy/a.cc:1", "usage of deprecated option", "thread=1"),
    '{"start_time":"2026-11-21T02:32:25Z"}',
  ];
  expect(complaintLines(log.join("\n"))).toEqual([
    "[error][envoy wasm] Function: _start failed",
    "[warning][envoy config] gRPC config for listeners rejected",
  ]);
});

test("what modules say goes before the proxy's own words, and is no more than three lines", () => {
  const at = (message: string) =>
    ["2026-11-21T12:00:00.0Z", "error", "envoy wasm external/envoy/source/a.cc:1", message, "thread=19"].join("\t");
  const log = [
    at("Function: _start failed"),
    ...[1, 2, 3, 4].map((n) => at(`wasm log f: Function: _start failed ${n}`)),
  ];
  expect(complaintLines(log.join("\n"))).toEqual([
    ...[2, 3, 4].map((n) => `[error][envoy wasm] wasm log f: Function: _start failed ${n}`),
    "[error][envoy wasm] Function: _start failed",
  ]);
});

test.each([
  ["MANIFEST_UNKNOWN: manifest unknown", /does not have this image/],
  ["UNAUTHORIZED: authentication required", /pull secret/],
  ["has checksum a, which does not match: b", /not what was built/],
  ['Get "http://private:5000/v2/": rejected unsafe bearer realm: realm scheme "" not allowed', /realm is an address/],
])("advice for: %s", (said, todo) => {
  expect(advice(["connection refused", said], known)).toMatch(todo);
  expect(advice(["connection refused", said], known)).not.toContain("does not answer inside");
});

test("no advice where nothing is known", () => {
  expect(advice(["something else"], known)).toBe("");
});
