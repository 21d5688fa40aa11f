/** The filters' part of a proxy's own configuration, whatever the mesh: Wasm and Lua, inline or by ECDS. */
import { createHash } from "node:crypto";
import type { KubeApi } from "./api.ts";
import type { MeshProxy } from "./mesh-proxies.ts";
import { httpFiltersOf, type ListenerDump } from "./proxy.ts";

export interface ProxyFilter {
  /** As it is declared; a script, which has none in the proxy, is `undefined`. */
  name?: string;
  /** As Envoy has it: `envoy.filters.http.wasm/envoyextensionpolicy/default/route-one/wasm/0`. */
  httpFilter: string;
  /** sha256 of a script, hex. */
  scriptDigest?: string;
  /** The filter's `typed_config`, as Envoy holds it. */
  typedConfig: unknown;
}

export async function proxyFilters(
  api: KubeApi,
  { pod, adminPort }: Pick<MeshProxy, "pod" | "adminPort">,
): Promise<ProxyFilter[]> {
  const dump = async (resource: string) =>
    JSON.parse(await api.getFromPod(pod.metadata, adminPort, `/config_dump?resource=${resource}`));
  const [listeners, ecds] = await Promise.all([dump("dynamic_listeners"), dump("ecds_filters")]);
  return readFilters(listeners, ecds);
}

/** Envoy's `/config_dump?resource=ecds_filters`, as far as it is read here. */
interface EcdsDump {
  configs?: { ecds_filter?: { name?: string; typed_config?: TypedConfig } }[];
}
interface TypedConfig {
  "@type"?: string;
  /** Wasm */
  config?: { name?: string };
  /** Lua */
  default_source_code?: { inline_string?: string };
}

/** Each filter once, however many listeners have it. */
export function readFilters(listeners: ListenerDump, { configs = [] }: EcdsDump): ProxyFilter[] {
  const inline = httpFiltersOf(listeners).map(({ name, typed_config }) => ({ name, config: typed_config }));
  const discovered = configs.map(({ ecds_filter }) => ({ name: ecds_filter?.name, config: ecds_filter?.typed_config }));
  const filters = new Map<string, ProxyFilter>();
  for (const { name, config } of [...inline, ...discovered]) {
    if (name === undefined || !/\.(Wasm|Lua)$/.test(config?.["@type"] ?? "")) continue;
    filters.set(`${name} ${JSON.stringify(config)}`, {
      ...(config?.config?.name !== undefined && { name: config.config.name }),
      httpFilter: name,
      ...scriptOf(config),
      typedConfig: config,
    });
  }
  return [...filters.values()];
}

function scriptOf(config: TypedConfig | undefined): Pick<ProxyFilter, "scriptDigest"> {
  const script = config?.default_source_code?.inline_string;
  return script === undefined ? {} : { scriptDigest: createHash("sha256").update(script).digest("hex") };
}
