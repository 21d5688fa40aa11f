/** The filters' part of a proxy's own configuration, whatever the mesh: Wasm and Lua, inline or by ECDS. */
import { sha256 } from "../lib/sha256.ts";
import type { KubeApi } from "./api.ts";
import { configDump } from "./config-dump.ts";
import { httpFiltersOf, type ListenerDump } from "./listener-dump.ts";
import type { Pod } from "./pods.ts";

export interface ProxyFilter {
  /** As it is declared; a script, which has none in the proxy, is `undefined`. */
  name?: string;
  /** As Envoy has it: `envoy.filters.http.wasm/envoyextensionpolicy/default/route-one/wasm/0`. */
  httpFilter: string;
  /** sha256 (hex) that the proxy knows the code by: of the module, of its image's manifest (Istio), of a script. */
  digest?: string;
  /** Another filter stands in for a module that could not be fetched: Istio's agent has put it there. */
  unfetched?: true;
  /** The filter's `typed_config`, as Envoy holds it. */
  typedConfig: unknown;
}

export async function proxyFilters(api: KubeApi, proxy: { pod: Pod; adminPort: number }): Promise<ProxyFilter[]> {
  const [listeners, ecds] = await Promise.all([
    configDump<ListenerDump>(api, proxy, "dynamic_listeners"),
    configDump<EcdsDump>(api, proxy, "ecds_filters"),
  ]);
  return readFilters(listeners, ecds);
}

/** Envoy's `/config_dump?resource=ecds_filters`, as far as it is read here. */
interface EcdsDump {
  configs?: { ecds_filter?: { name?: string; typed_config?: TypedConfig } }[];
}
interface TypedConfig {
  "@type"?: string;
  /** Wasm */
  config?: { name?: string; vm_config?: { code?: { local?: { filename?: string }; remote?: { sha256?: string } } } };
  /** Lua */
  default_source_code?: { inline_string?: string };
  /** RBAC */
  rules_stat_prefix?: string;
}

/** Each filter once, however many listeners have it. */
export function readFilters(listeners: ListenerDump, { configs = [] }: EcdsDump): ProxyFilter[] {
  const inline = httpFiltersOf(listeners).map(({ name, typed_config }): { name: string; config?: TypedConfig } => ({
    name,
    config: typed_config,
  }));
  const discovered = configs.map(({ ecds_filter }) => ({ name: ecds_filter?.name, config: ecds_filter?.typed_config }));
  const filters = new Map<string, ProxyFilter>();
  for (const { name, config } of [...inline, ...discovered]) {
    const unfetched = config?.rules_stat_prefix?.startsWith("wasm-default-");
    if (name === undefined || !(unfetched || /\.(Wasm|Lua)$/.test(config?.["@type"] ?? ""))) continue;
    const declared = declaredName(config?.config?.name ?? (unfetched ? name : undefined));
    const digest = digestOf(config);
    filters.set(`${name} ${JSON.stringify(config)}`, {
      ...(declared !== undefined && { name: declared }),
      httpFilter: name,
      ...(digest !== undefined && { digest }),
      ...(unfetched && { unfetched }),
      typedConfig: config,
    });
  }
  return [...filters.values()];
}

/** Istio calls the filter of a WasmPlugin `default.custom-header~istio-translated-wasmplugin`. */
function declaredName(name: string | undefined): string | undefined {
  return /([^./]+)~istio-translated-wasmplugin$/.exec(name ?? "")?.[1] ?? name;
}

/** Modules that lie in files are named by their digest, by Istio's agent as by us. */
function digestOf(config: TypedConfig | undefined): string | undefined {
  const script = config?.default_source_code?.inline_string;
  if (script !== undefined) return sha256(script);
  const { local, remote } = config?.config?.vm_config?.code ?? {};
  return remote?.sha256 ?? /\/([0-9a-f]{64})\.wasm$/.exec(local?.filename ?? "")?.[1];
}
