/** The listeners of a proxy's own configuration. */

/** The part of Envoy's `/config_dump?resource=dynamic_listeners` that is read here. */
export interface ListenerDump {
  configs?: {
    name?: string;
    active_state?: { listener?: { filter_chains?: FilterChain[]; default_filter_chain?: FilterChain } };
    error_state?: { details?: string };
  }[];
}
interface FilterChain {
  filters?: { typed_config?: { http_filters?: { name: string; typed_config?: HttpFilter }[] } }[];
}
interface HttpFilter {
  "@type"?: string;
  /** Wasm */
  config?: { name?: string; vm_config?: { code?: { remote?: { sha256?: string } } } };
  /** Lua */
  default_source_code?: { inline_string?: string };
}

/** The HTTP filters of all listeners that are in force. */
export function httpFiltersOf({ configs = [] }: ListenerDump): { name: string; typed_config?: HttpFilter }[] {
  const chains = configs.flatMap(({ active_state }) => {
    const { filter_chains = [], default_filter_chain } = active_state?.listener ?? {};
    return [...filter_chains, ...(default_filter_chain ? [default_filter_chain] : [])];
  });
  return chains.flatMap((chain) => (chain.filters ?? []).flatMap((f) => f.typed_config?.http_filters ?? []));
}

/** Envoy's words where it has refused the newest configuration and goes on with an older one. */
export function rejectionOf({ configs = [] }: ListenerDump): string | undefined {
  return configs.map(({ error_state }) => error_state?.details).find((details) => details);
}
