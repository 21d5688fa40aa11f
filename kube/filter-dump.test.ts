import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { KubeApi } from "./api.ts";
import { proxyFilters, readFilters } from "./filter-dump.ts";
import { Answer, fakeCluster } from "./testing/kubernetes.ts";

const type = (name: string) => `type.googleapis.com/envoy.extensions.filters.http.${name}`;
const wasm = { "@type": type("wasm.v3.Wasm"), config: { name: "custom-header", configuration: { value: "{}" } } };
const lua = { "@type": type("lua.v3.Lua"), default_source_code: { inline_string: "script" } };
const router = { "@type": type("router.v3.Router") };
const listeners = {
  configs: [
    {
      active_state: {
        listener: {
          filter_chains: [
            {
              filters: [
                {
                  typed_config: {
                    http_filters: [
                      { name: "wasm/0", typed_config: wasm },
                      { name: "lua/0", typed_config: lua },
                      { name: "router", typed_config: router },
                      { name: "by-ecds" },
                    ],
                  },
                },
              ],
            },
          ],
        },
      },
    },
  ],
};
const ecds = { configs: [{ ecds_filter: { name: "by-ecds", typed_config: wasm } }, {}] };

test("the proxy's Wasm and Lua filters, inline and by ECDS, and nothing else of its configuration", () => {
  expect(readFilters(listeners, ecds)).toEqual([
    { name: "custom-header", httpFilter: "wasm/0", typedConfig: wasm },
    { httpFilter: "lua/0", digest: createHash("sha256").update("script").digest("hex"), typedConfig: lua },
    { name: "custom-header", httpFilter: "by-ecds", typedConfig: wasm },
  ]);
});

test("a filter that several listeners have is there once", () => {
  expect(readFilters({ configs: [...listeners.configs, ...listeners.configs] }, {})).toHaveLength(2);
});

test("a proxy without filters", () => {
  expect(readFilters({}, {})).toEqual([]);
});

test("is asked at the port of its admin interface, through the API server", async () => {
  const { kubeconfig } = await fakeCluster(
    {},
    {
      "proxy-1:15000 /config_dump?resource=dynamic_listeners": () => listeners,
      // As Envoy says it of a proxy without any.
      "proxy-1:15000 /config_dump?resource=ecds_filters": () =>
        new Answer(404, "ecds_filters not found in config dump"),
    },
  );
  const api = await KubeApi.open(kubeconfig);
  const pod = { metadata: { namespace: "default", name: "proxy-1" } };
  expect(await proxyFilters(api, { pod, adminPort: 15000 })).toHaveLength(2);
  await expect(proxyFilters(api, { pod, adminPort: 19000 })).rejects.toThrow(/port 19000 of pod proxy-1: nothing/);
});
