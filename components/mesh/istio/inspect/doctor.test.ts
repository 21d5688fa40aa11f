import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { KubeApi } from "../../../../kube/api.ts";
import { type Answers, fakeCluster } from "../../../../kube/testing/kubernetes.ts";
import { Steps } from "../../../../lib/steps.ts";
import type { FilterOutput } from "../../filter-output.ts";
import { diagnose } from "./doctor.ts";

const digest = "a".repeat(64);
const envoyName = "extensions.istio.io/trafficextension/default.custom~istio-translated-wasmplugin";
const wasm = (sha256: string) => ({
  "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
  config: { vm_config: { code: { local: { filename: `/data/${sha256}.wasm` } } } },
});
const pod = (name: string, { ready = true, sidecar = true, labels = {} } = {}) => ({
  metadata: { name, namespace: "default", uid: `${name}-${Math.random()}`, labels },
  spec: { containers: [{ name: "app" }], initContainers: sidecar ? [{ name: "istio-proxy" }] : [] },
  status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
});
const paths = {
  istiod: "GET /api/v1/namespaces/istio-system/pods",
  gateway: "GET /api/v1/namespaces/istio-ingress/pods",
  namespace: "GET /api/v1/namespaces/default",
  pods: "GET /api/v1/namespaces/default/pods",
};
/** A cluster in which all is well: one workload's pod, and the chart's gateway. */
const healthy: Answers = {
  [paths.istiod]: () => ({ items: [pod("istiod-1")] }),
  [paths.gateway]: () => ({ items: [pod("gateway-1")] }),
  [paths.namespace]: () => ({ metadata: { name: "default", labels: { "istio-injection": "enabled" } } }),
  [paths.pods]: (query) => ({ items: query.get("labelSelector")?.includes("gateway") ? [] : [pod("httpbin-1")] }),
};

interface World {
  answers?: Answers;
  /** What the sidecar runs. */
  module?: object;
  /** Envoy's words on a listener that it has refused. */
  rejected?: string;
  header?: string;
}

async function examine({ answers, module = wasm(digest), rejected, header = "yes" }: World = {}) {
  const listeners = { configs: rejected === undefined ? [] : [{ error_state: { details: rejected } }] };
  const ecds = { configs: [{ ecds_filter: { name: envoyName, typed_config: module } }] };
  const ports = Object.fromEntries(
    ["httpbin-1", "gateway-1"].flatMap((name) => [
      [`${name}:15000 /config_dump?resource=dynamic_listeners`, () => listeners],
      [`${name}:15000 /config_dump?resource=ecds_filters`, () => ecds],
    ]),
  );
  const { kubeconfig } = await fakeCluster({ ...healthy, ...answers }, ports);
  const server = createServer((_, response) => response.setHeader("x-custom", header).end()).listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const filter: FilterOutput = {
    name: "custom",
    digest,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/one`,
    expect: { "x-custom": "yes" },
    delivery: "image",
  };
  const proxies = {
    filters: { custom: { namespace: "default", selector: { app: "httpbin" }, envoyName, digest } },
  };
  const steps = new Steps();
  await diagnose({ api: await KubeApi.open(kubeconfig), filters: [filter], proxies }, steps.check);
  return steps.all;
}

const broken = (steps: Awaited<ReturnType<typeof examine>>) =>
  steps.filter(({ ok }) => ok === false).map(({ name, detail, mend }) => `${name}: ${detail} → ${mend}`);

test("all is well", async () => {
  const steps = await examine();
  expect(broken(steps)).toEqual([]);
  expect(steps.map(({ name }) => name)).toEqual([
    "istiod",
    "injection",
    "gateway",
    "proxies",
    "module of custom",
    "request for custom",
  ]);
});

test.each<[string, World, RegExp[]]>([
  ["no istiod", { answers: { [paths.istiod]: () => ({ items: [] }) } }, [/^istiod: istiod has no pod/]],
  [
    "a gateway that is not ready",
    { answers: { [paths.gateway]: () => ({ items: [pod("gateway-1", { ready: false })] }) } },
    [/^gateway: not ready: gateway-1 → KUBECTL -n default describe pods gateway-1 says why$/],
  ],
  [
    "a namespace without injection",
    { answers: { [paths.namespace]: () => ({ metadata: { name: "default" } }) } },
    [
      /^injection: namespace default has no label .* → `npm start -- STACK` puts it back; .* KUBECTL -n default rollout restart deployment$/,
    ],
  ],
  [
    "a pod from before the injection",
    {
      answers: {
        [paths.pods]: (query) => ({
          items:
            query.has("labelSelector") && query.get("labelSelector") !== "" ? [] : [pod("old", { sidecar: false })],
        }),
      },
    },
    [
      /^injection: without sidecar: old → KUBECTL -n default rollout restart deployment$/,
      /^module of custom: no proxy runs it/,
    ],
  ],
  [
    "a proxy that refuses its configuration",
    { rejected: "Unable to create Wasm HTTP filter" },
    [/^proxies: (gateway|httpbin)-1 refuses its newest configuration: Unable to create Wasm HTTP filter/],
  ],
  ["another module", { module: wasm("0".repeat(64)) }, [/^module of custom: no proxy runs it, or not each/]],
  ["another header", { header: "no" }, [/^request for custom: [\s\S]*x-custom is: no; expected: yes/]],
])("%s", async (_name, world, expected) => {
  const found = broken(await examine(world));
  expect(found).toHaveLength(expected.length);
  for (const [i, pattern] of expected.entries()) expect(found[i]).toMatch(pattern);
});
