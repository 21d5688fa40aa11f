import { describe, expect, test } from "vitest";
import { advice } from "../../../../kube/advice.ts";
import { Answer, fakeCluster, kubeconfig } from "../../../../kube/testing/kubernetes.ts";
import { policyReadyType } from "../../../../provider/policy-ready.ts";
import { known } from "./policy.ts";
import { type AwaitedPolicy, waitForPolicy } from "./ready.ts";

const policyPath = "GET /apis/gateway.envoyproxy.io/v1alpha1/namespaces/default/envoyextensionpolicies/route-one";
const podsPath = "GET /api/v1/namespaces/envoy-gateway-system/pods";
const logPath = "GET /api/v1/namespaces/envoy-gateway-system/pods/envoy-gateway-1/log";
const gatewayPath = "PATCH /apis/gateway.networking.k8s.io/v1/namespaces/default/gateways/gateway";

function policy(status: "True" | "False", message = "") {
  const reason = status === "True" ? "Accepted" : "Invalid";
  const conditions = [{ type: "Accepted", status, reason, message, observedGeneration: 1 }];
  const ancestors = [{ ancestorRef: { name: "gateway" }, controllerName: "c", conditions }];
  return { metadata: { name: "route-one", namespace: "default", generation: 1 }, status: { ancestors } };
}

const inputs = (kubeconfig: string, over: Partial<AwaitedPolicy> = {}): AwaitedPolicy => ({
  kubeconfig,
  namespace: "default",
  name: "route-one",
  gateway: { namespace: "default", name: "gateway" },
  filters: [{ name: "f", digest: "d", failure: "close" }],
  timeoutMs: 400,
  ...over,
});

const ready = { type: "Ready", status: "True" };
const controller = {
  metadata: { name: "envoy-gateway-1", namespace: "envoy-gateway-system" },
  status: { conditions: [ready] },
};

test("a refusal: after one more pull, with the condition, Envoy Gateway's own line, and what to do", async () => {
  const message = "Wasm: could not fetch manifest: GET http://r/v2/f: MANIFEST_UNKNOWN: manifest unknown.";
  const line = ["t", "error", "wasm-cache", "httpserver.go:189", "Failed to get Wasm module", '{"URL": "oci://r/f"}'];
  const { kubeconfig, asked } = await fakeCluster({
    [policyPath]: () => policy("False", message),
    [podsPath]: () => ({ items: [controller] }),
    [logPath]: () => `${line.join("\t")}\n`,
    [gatewayPath]: () => 1,
  });
  await expect(waitForPolicy(inputs(kubeconfig, { timeoutMs: 60_000 }))).rejects.toThrow(
    [
      "policy default/route-one is not accepted: Invalid; its routes answer 500",
      `  ${message}`,
      "  Envoy Gateway's log:",
      '    Failed to get Wasm module {"URL": "oci://r/f"}',
      `  ${advice([message], known)}`,
    ].join("\n"),
  );
  expect(asked.filter((path) => path === gatewayPath)).toHaveLength(1);
});

test.each([
  ["accepted", () => policy("True"), false],
  ["refused since", () => policy("False", "Wasm: could not fetch"), true],
  ["gone", () => undefined, true],
])("a policy that is %s is looked at by an up with nothing else to do", async (_what, found, drifted) => {
  const { kubeconfig } = await fakeCluster({ [policyPath]: found });
  const news = { ...inputs(kubeconfig), uid: "u", generation: 1 };
  expect(await policyReadyType.hasDrifted?.({} as never, news, {} as never)).toBe(drifted);
});

test("a refusal that no pull can mend: at once", async () => {
  const { kubeconfig, asked } = await fakeCluster({
    [policyPath]: () => policy("False", "Lua: validation failed"),
    [podsPath]: () => ({ items: [] }),
  });
  await expect(waitForPolicy(inputs(kubeconfig, { timeoutMs: 60_000 }))).rejects.toThrow("Lua: validation failed");
  expect(asked.filter((path) => path === policyPath)).toHaveLength(1);
  expect(asked).not.toContain(gatewayPath);
});

test.each([
  ["a registry that was down", "Wasm: could not fetch Wasm OCI image: dial tcp: connect: connection refused."],
  ["an image that was not there yet", "Wasm: could not fetch Wasm OCI image: MANIFEST_UNKNOWN: manifest unknown."],
])("%s: Envoy Gateway is made to pull again, and the policy accepted", async (_, down) => {
  let pulls = 0;
  const { kubeconfig, asked } = await fakeCluster({
    [policyPath]: () => (pulls === 0 ? policy("False", down) : policy("True")),
    [gatewayPath]: () => ++pulls,
    [podsPath]: () => ({ items: [] }),
  });
  // Accepted; there is no proxy here to run it.
  await expect(waitForPolicy(inputs(kubeconfig, { timeoutMs: 4000 }))).rejects.toThrow(
    "no proxy of Gateway default/gateway is ready",
  );
  expect(asked.filter((path) => path === gatewayPath)).toHaveLength(1);
});

test.each([
  ["there is no policy", {}, "there is no such policy"],
  ["nobody takes it up", { [policyPath]: () => ({ metadata: { name: "route-one" } }) }, "no Gateway has taken it up"],
  [
    "an older generation is accepted",
    { [policyPath]: () => ({ ...policy("True"), metadata: { name: "route-one", generation: 2 } }) },
    "only generation 1",
  ],
])("not in force in time: %s", async (_, answers, why) => {
  const { kubeconfig } = await fakeCluster(answers);
  await expect(waitForPolicy(inputs(kubeconfig))).rejects.toThrow(
    new RegExp(`policy default/route-one is not in force after 0.4 s: .*${why}`),
  );
});

test("not in force in time: with what Envoy Gateway says meanwhile", async () => {
  const line = ["t", "error", "wasm-cache", "imagefetcher.go:1", "wasm module download failed", '{"url": "oci://r/f"}'];
  const { kubeconfig } = await fakeCluster({
    [podsPath]: () => ({ items: [controller] }),
    [logPath]: () => `${line.join("\t")}\n`,
  });
  await expect(waitForPolicy(inputs(kubeconfig))).rejects.toThrow(
    /there is no such policy\n {2}Envoy Gateway's log:\n {4}wasm module download failed/,
  );
});

describe("a policy that is accepted", () => {
  const proxy = {
    metadata: { name: "envoy-1", namespace: "envoy-gateway-system", uid: "1" },
    status: { conditions: [ready] },
  };
  const dumpPath = "envoy-1:19000 /config_dump?resource=dynamic_listeners";
  const proxyLog = "GET /api/v1/namespaces/envoy-gateway-system/pods/envoy-1/log";
  const filter = {
    name: "envoy.filters.http.wasm/envoyextensionpolicy/default/route-one/wasm/0",
    typed_config: { config: { name: "f", vm_config: { code: { remote: { sha256: "d" } } } } },
  };
  const chain = { filters: [{ typed_config: { http_filters: [filter] } }] };
  const dump = { configs: [{ active_state: { listener: { filter_chains: [chain] } } }] };
  const at = (level: string, text: string, second = 1) =>
    `[2026-11-21 02:32:0${second}.804][1][${level}][wasm] [source/extensions/common/wasm/a.cc:1] ${text}`;

  function accepted(log: (since: boolean) => string[], dumped: () => unknown = () => dump) {
    return fakeCluster(
      {
        [policyPath]: () => {
          const { metadata, ...rest } = policy("True");
          return { metadata: { ...metadata, creationTimestamp: "2026-11-21T02:32:02Z" }, ...rest };
        },
        [podsPath]: () => ({ items: [proxy] }),
        [proxyLog]: (query) => `${log(query.has("sinceTime")).join("\n")}\n`,
      },
      { [dumpPath]: dumped },
    );
  }

  test.each([
    ["at level critical", at("critical", "wasm log f: Plugin f failed to load")],
    ["at level error", at("error", "wasm log root f@sha256:d: Function: proxy_on_configure failed: no")],
  ])("is in force, whatever its module says %s", async (_what, line) => {
    const { kubeconfig } = await accepted(() => [line]);
    expect((await waitForPolicy(inputs(kubeconfig))).proxies).toEqual(["envoy-1"]);
  });

  test("is not where its module does not start, however much another says meanwhile", async () => {
    const before = [at("info", "all is well")];
    const storm = Array.from({ length: 6000 }, (_, i) => at("error", `wasm log another: line ${i}`, 3));
    const since = [at("error", "Function: proxy_on_context_create failed: Uncaught RuntimeError: x", 2), ...storm];
    const { kubeconfig } = await accepted((isSince) => (isSince ? since : [...before, ...since].slice(-5000)));
    await expect(waitForPolicy(inputs(kubeconfig))).rejects.toThrow(
      /the proxy cannot start "f"[\s\S]*proxy_on_context_create failed: Uncaught RuntimeError: x$/,
    );
  });

  test("is in force where Envoy said the same before, and other lines came while it was looked at", async () => {
    const failed = "Function: proxy_on_configure failed: x";
    const [before, since] = [at("error", failed, 1), at("error", failed, 3)];
    const { kubeconfig } = await accepted((isSince) => (isSince ? [since] : [before, since, at("info", "later", 4)]));
    expect((await waitForPolicy(inputs(kubeconfig))).proxies).toEqual(["envoy-1"]);
  });

  test("is waited for while its proxy does not answer", async () => {
    let asked = 0;
    const { kubeconfig } = await accepted(
      () => [],
      () => (++asked > 2 ? dump : new Answer(503, "busy")),
    );
    expect((await waitForPolicy(inputs(kubeconfig, { timeoutMs: 20_000 }))).proxies).toEqual(["envoy-1"]);
    expect(asked).toBe(3);
  });

  test("is told where its proxy never answers", async () => {
    const { kubeconfig } = await accepted(
      () => [],
      () => new Answer(503, "busy"),
    );
    await expect(waitForPolicy(inputs(kubeconfig))).rejects.toThrow(
      /not in force after 0\.4 s: the proxy does not answer: .*busy/,
    );
  });
});

test("cancelled", async () => {
  const { kubeconfig } = await fakeCluster({});
  const waiting = waitForPolicy(inputs(kubeconfig, { timeoutMs: 60_000 }), AbortSignal.abort());
  await expect(waiting).rejects.toThrow("cancelled");
});

test("a cluster that does not answer, and files that are no kubeconfig", async () => {
  await expect(waitForPolicy(inputs(kubeconfig("http://127.0.0.1:1")))).rejects.toThrow(
    "the cluster at http://127.0.0.1:1 does not answer: connect ECONNREFUSED",
  );
  await expect(waitForPolicy(inputs("/nonexistent/kubeconfig"))).rejects.toThrow("/nonexistent/kubeconfig");
});
