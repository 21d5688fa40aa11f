/** Istio's proxies, sidecars and gateways: what they say that they run, and their log lines about it. */
import { createHash } from "node:crypto";
import type { KubeApi, KubeObject } from "./api.ts";

/** The container of pilot-agent and its Envoy. */
export const proxyContainer = "istio-proxy";
/** Envoy's admin interface, on the pod's loopback. */
export const adminPort = 15000;

export interface ProxyPod extends KubeObject {
  metadata: KubeObject["metadata"] & { namespace: string; labels?: Record<string, string> };
  spec?: { containers?: { name: string }[]; initContainers?: { name: string }[] };
  status?: { phase?: string; conditions?: { type: string; status: string }[] };
}

/** Pods with these labels, with a proxy in them or without. */
export function podsOf(api: KubeApi, namespace: string, selector: Record<string, string>): Promise<ProxyPod[]> {
  const labelSelector = Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
  const query = labelSelector === "" ? "" : `?${new URLSearchParams({ labelSelector })}`;
  return api.list<ProxyPod>(`/api/v1/namespaces/${namespace}/pods${query}`);
}

/** A sidecar may stand among the init containers: Kubernetes starts those first and lets it run on. */
export function hasProxy({ spec }: ProxyPod): boolean {
  return [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some(({ name }) => name === proxyContainer);
}

/** It takes traffic, and goes on to. */
export function isServing({ metadata, status }: ProxyPod): boolean {
  const ready = status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
  return ready && metadata.deletionTimestamp === undefined;
}

/** An Envoy filter, as a proxy has it in force. */
export interface RunningFilter {
  /** Envoy's name of it. */
  name: string;
  /**
   * sha256 (hex) that its code is known by: of the module, of a pulled image's manifest, of a script's text. None where
   * something stands in for a module that could not be fetched.
   */
  digest?: string;
  typedConfig: unknown;
}

/** The filters with Wasm or Lua that a proxy runs, by Envoy's names. */
export async function runningFilters(api: KubeApi, pod: ProxyPod): Promise<Map<string, RunningFilter>> {
  const dump = async (resource: string) => {
    const text = await share(`${api.server} ${pod.metadata.uid} ${resource}`, () =>
      api.getFromPod(pod.metadata, adminPort, `/config_dump?resource=${resource}`).catch(emptyWhenAbsent),
    );
    return JSON.parse(text) as Dump;
  };
  const [listeners, discovered] = await Promise.all([dump("dynamic_listeners"), dump("ecds_filters")]);
  return readDumps(listeners, discovered);
}

/** Envoy answers 404 to a part of its configuration that it has nothing of. */
function emptyWhenAbsent(error: unknown): string {
  if (typeof error === "object" && error !== null && "status" in error && error.status === 404) return "{}";
  throw error;
}

/** Several resources of one `up` ask a proxy the same at the same time. */
const asking = new Map<string, Promise<string>>();

function share(key: string, ask: () => Promise<string>): Promise<string> {
  const asked = asking.get(key) ?? ask().finally(() => asking.delete(key));
  asking.set(key, asked);
  return asked;
}

/** The parts of Envoy's `/config_dump` that are read here. */
export interface Dump {
  configs?: {
    ecds_filter?: { name?: string; typed_config?: TypedConfig };
    active_state?: { listener?: { filter_chains?: FilterChain[]; default_filter_chain?: FilterChain } };
  }[];
}
interface FilterChain {
  filters?: { typed_config?: { http_filters?: HttpFilter[] } }[];
}
interface HttpFilter {
  name: string;
  typed_config?: TypedConfig;
  config_discovery?: object;
}
interface TypedConfig {
  "@type"?: string;
  /** Wasm */
  config?: { vm_config?: { code?: { local?: { filename?: string } } } };
  /** Lua */
  default_source_code?: { inline_string?: string };
}

/** A filter that is discovered counts where a listener has it. */
export function readDumps(listeners: Dump, discovered: Dump): Map<string, RunningFilter> {
  const configs = new Map(
    (discovered.configs ?? []).flatMap(({ ecds_filter: filter }) =>
      filter?.name ? [[filter.name, filter.typed_config] as const] : [],
    ),
  );
  const chains = (listeners.configs ?? []).flatMap(({ active_state }) => {
    const { filter_chains = [], default_filter_chain } = active_state?.listener ?? {};
    return [...filter_chains, ...(default_filter_chain ? [default_filter_chain] : [])];
  });
  const httpFilters = chains.flatMap((chain) =>
    (chain.filters ?? []).flatMap((filter) => filter.typed_config?.http_filters ?? []),
  );
  const running = new Map<string, RunningFilter>();
  for (const { name, typed_config, config_discovery } of httpFilters) {
    const typedConfig = config_discovery ? configs.get(name) : typed_config;
    if (config_discovery ? typedConfig !== undefined : isCode(typedConfig))
      running.set(name, { name, digest: digestOf(typedConfig), typedConfig });
  }
  return running;
}

const isCode = (config: TypedConfig | undefined) => /\.filters\.http\.(wasm|lua)\./.test(config?.["@type"] ?? "");

/** pilot-agent and our ConfigMaps name a module's file by its digest. */
function digestOf(config: TypedConfig | undefined): string | undefined {
  const script = config?.default_source_code?.inline_string;
  if (script !== undefined) return createHash("sha256").update(script).digest("hex");
  return /\/([0-9a-f]{64})\.wasm$/.exec(config?.config?.vm_config?.code?.local?.filename ?? "")?.[1];
}

/** The proxy's log lines about Wasm, Lua and refused configuration, each once, the newest last. */
export async function complaintsOf(api: KubeApi, pod: ProxyPod, since?: string): Promise<string[]> {
  return complaintLines(await api.log(pod.metadata, { container: proxyContainer, since, tail: 2000 }));
}

/** `TIME<tab>LEVEL<tab>SCOPE<tab>MESSAGE`, Envoy's own with file and thread. */
export function complaintLines(log: string): string[] {
  const lines = log.split("\n").flatMap((line) => {
    const [, level = "", scope = "", ...rest] = line.split("\t");
    const about = /^(wasm|envoy (wasm|lua|config))/.test(scope) || /gRPC config for .* rejected/.test(line);
    if (!["warn", "warning", "error", "critical"].includes(level) || !about) return [];
    const message = rest.filter((part) => !/^(thread=\d+|external\/\S+)$/.test(part)).join(" ");
    return [`[${level}][${scope.split(" ").slice(0, 2).join(" ")}] ${message}`.trim()];
  });
  return [...new Set(lines)];
}
