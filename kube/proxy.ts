/** The proxies of a Gateway: what they say that they run, and their log lines about it. */
import { createHash } from "node:crypto";
import { UserError } from "../lib/errors.ts";
import type { KubeApi } from "./api.ts";
import { configDump } from "./config-dump.ts";
import { isReady, type Pod, podsOf } from "./pods.ts";

export const controllerNamespace = "envoy-gateway-system";
/** Envoy's admin interface, on the pod's loopback. */
const adminPort = 19000;

/** A filter, as a proxy has it in force. */
export interface ServedFilter {
  kind: "wasm" | "lua";
  /** `default/route-one` */
  policy: string;
  /** Place in the policy's list. */
  index: number;
  /** A script has none. */
  name?: string;
  /** sha256 of the module or the script, hex. */
  digest: string;
}

/** What one proxy runs. */
export interface Served {
  pod: string;
  filters: ServedFilter[];
  /** Envoy's words where it has refused the newest configuration and goes on with an older one. */
  rejected?: string;
}

const ourGateway = { namespace: "default", name: "gateway" };

/** The Gateway's proxies that take traffic. */
export async function proxyPods(api: KubeApi, gateway = ourGateway): Promise<Pod[]> {
  return (await gatewayPods(api, gateway)).filter(isReady);
}

/** The Gateway's proxies, but those that are on their way out. */
export function gatewayPods(api: KubeApi, gateway = ourGateway): Promise<Pod[]> {
  return podsOf(api, controllerNamespace, {
    "gateway.envoyproxy.io/owning-gateway-namespace": gateway.namespace,
    "gateway.envoyproxy.io/owning-gateway-name": gateway.name,
  });
}

/** What a proxy runs now. */
export async function served(api: KubeApi, pod: Pod): Promise<Served> {
  const dump = await configDump<ListenerDump>(api, { pod, adminPort }, "dynamic_listeners");
  return { pod: pod.metadata.name, ...readDump(dump) };
}

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

/** Envoy Gateway names a filter `envoy.filters.http.wasm/envoyextensionpolicy/NAMESPACE/POLICY/wasm/INDEX`. */
const filterName = /^envoy\.filters\.http\.(wasm|lua)\/envoyextensionpolicy\/([^/]+\/[^/]+)\/(?:wasm|lua)\/(\d+)$/;

/** The HTTP filters of all listeners that are in force. */
export function httpFiltersOf({ configs = [] }: ListenerDump): { name: string; typed_config?: HttpFilter }[] {
  const chains = configs.flatMap(({ active_state }) => {
    const { filter_chains = [], default_filter_chain } = active_state?.listener ?? {};
    return [...filter_chains, ...(default_filter_chain ? [default_filter_chain] : [])];
  });
  return chains.flatMap((chain) => (chain.filters ?? []).flatMap((f) => f.typed_config?.http_filters ?? []));
}

export function readDump(dump: ListenerDump): Pick<Served, "filters" | "rejected"> {
  const filters = new Map<string, ServedFilter>();
  for (const { name, typed_config } of httpFiltersOf(dump)) {
    const [, kind, policy, index] = filterName.exec(name) ?? [];
    if (kind === undefined || policy === undefined) continue;
    const script = typed_config?.default_source_code?.inline_string ?? "";
    const digest =
      kind === "wasm"
        ? (typed_config?.config?.vm_config?.code?.remote?.sha256 ?? "")
        : createHash("sha256").update(script).digest("hex");
    const common = { policy, index: Number(index), digest };
    filters.set(
      name,
      kind === "wasm" ? { kind, ...common, name: typed_config?.config?.name } : { kind: "lua", ...common },
    );
  }
  const rejected = dump.configs?.map((listener) => listener.error_state?.details).find((details) => details);
  return { filters: [...filters.values()], ...(rejected !== undefined && { rejected }) };
}

/** A proxy's log lines about Wasm, Lua and refused configuration, before `time` (RFC 3339) and since; each once. */
export async function proxyComplaints(
  api: KubeApi,
  { pod, container = "envoy" }: { pod: Pod; container?: string },
  time?: string,
  parse: (log: string) => string[] = complaints,
): Promise<{ before: string[]; since: string[] }> {
  const [all, since] = await Promise.all([
    api.log(pod.metadata, { container, tail: 5000 }),
    // From its beginning: a filter that logs without end may have said thousands of lines since.
    api.log(pod.metadata, { container, since: time, mostBytes: 8 * 1024 * 1024 }),
  ]);
  return { before: parse(withoutLater(all, since)), since: parse(since) };
}

/** What of a log's end is from before `later` begins. Either may have lines that the other does not reach to. */
export function withoutLater(log: string, later: string): string {
  if (later === "") return log;
  const start = log.indexOf(later.slice(0, 2000));
  return start < 0 ? "" : log.slice(0, start);
}

/** Warnings that come with every module, and say nothing of it. */
const noise = /Wasm remote code fetch is unstable|Using deprecated option/;
const complaint = /^\[[^\]]+\]\[(\d+)\]\[(?:warning|error|critical)\]\[(?:wasm|lua|config|upstream)\]/;
/**
 * Where two filters share a module, Envoy reports the second as failed while it still waits for the first's download,
 * goes on to load it all the same, and leaves the report standing.
 */
const falseAlarm = /createWasm: failed to load \((?:in progress|cached)\)/;
const pluginFailed = /Plugin \S+ failed to load|Plugin configured to fail closed failed to load/;
/** What a module or a script logs is not what Envoy says, whatever it looks like. */
const ofOthers = /^\[\w+\]\[(?:wasm|lua)\] (?:wasm|script) log\b/;

/** Envoy's complaints, each once; before them the newest of modules and scripts, which may be very many. */
export function complaints(log: string): string[] {
  const said = new Set<string>();
  const alarmed = new Set<string>();
  for (const line of log.split("\n")) {
    const thread = complaint.exec(line)?.[1];
    if (thread === undefined || noise.test(line)) continue;
    if (falseAlarm.test(line)) alarmed.add(thread);
    else if (!alarmed.has(thread) || !pluginFailed.test(line)) {
      alarmed.delete(thread);
      // Every worker says the same: time and thread tell the lines apart, the place in the source nobody needs.
      said.add(
        line
          .replace(/^\[[^\]]+\]\[\d+\]/, "")
          .replace(/ \[source\/[^\]]+\]/, "")
          .trim(),
      );
    }
  }
  const others = [...said].filter((line) => ofOthers.test(line));
  return [...others.slice(-3), ...[...said].filter((line) => !ofOthers.test(line))];
}

/**
 * The digest of the module or script that the proxies run for a filter; undefined when one of them does not run it. Of
 * proxies that differ, one that has another than `digest` counts.
 * @throws UserError when the cluster does not answer, or no proxy runs
 */
export async function servedDigest(
  kubeconfig: string,
  filter: { name: string; digest: string },
  gateway = ourGateway,
): Promise<string | undefined> {
  const { KubeApi } = await import("./api.ts");
  const api = await KubeApi.open(kubeconfig);
  const pods = await proxyPods(api, gateway);
  if (pods.length === 0) throw new UserError(`no proxy of Gateway ${gateway.namespace}/${gateway.name} is ready`);
  const digests = (await Promise.all(pods.map((pod) => served(api, pod)))).map((one) => digestOf(one, filter));
  return (
    digests.find((digest) => digest !== filter.digest) ?? (digests.includes(undefined) ? undefined : filter.digest)
  );
}

/** What a proxy runs for a filter. A script has no name there: it is known by its text. */
export function digestOf({ filters }: Served, { name, digest }: { name: string; digest: string }): string | undefined {
  const digests = filters.flatMap((f) =>
    f.name === name || (f.kind === "lua" && f.digest === digest) ? [f.digest] : [],
  );
  return digests.find((one) => one !== digest) ?? digests[0];
}
