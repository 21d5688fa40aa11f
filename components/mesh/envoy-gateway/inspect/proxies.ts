/** The proxies of a Gateway: what they say that they run, and their log lines about it. */
import type { KubeApi } from "../../../../kube/api.ts";
import { configDump } from "../../../../kube/config-dump.ts";
import { httpFiltersOf, type ListenerDump, rejectionOf } from "../../../../kube/listener-dump.ts";
import { isReady, type Pod, podsOf } from "../../../../kube/pods.ts";
import { UserError } from "../../../../lib/errors.ts";
import { sha256 } from "../../../../lib/sha256.ts";
import { controllerNamespace, gateway as ourGateway } from "../names.ts";

/** Of a proxy's pod. */
export const proxyContainer = "envoy";
/** Envoy's admin interface, on the pod's loopback. */
export const adminPort = 19000;

/** A filter, as a proxy has it in force. */
export interface FilterInForce {
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
export interface InForce {
  pod: string;
  filters: FilterInForce[];
  /** Envoy's words where it has refused the newest configuration and goes on with an older one. */
  rejected?: string;
}

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
export async function inForce(api: KubeApi, pod: Pod): Promise<InForce> {
  const dump = await configDump<ListenerDump>(api, { pod, adminPort }, "dynamic_listeners");
  return { pod: pod.metadata.name, ...readDump(dump) };
}

/** Envoy Gateway names a filter `envoy.filters.http.wasm/envoyextensionpolicy/NAMESPACE/POLICY/wasm/INDEX`. */
const filterName = /^envoy\.filters\.http\.(wasm|lua)\/envoyextensionpolicy\/([^/]+\/[^/]+)\/(?:wasm|lua)\/(\d+)$/;

export function readDump(dump: ListenerDump): Pick<InForce, "filters" | "rejected"> {
  const filters = new Map<string, FilterInForce>();
  for (const { name, typed_config } of httpFiltersOf(dump)) {
    const [, kind, policy, index] = filterName.exec(name) ?? [];
    if (kind === undefined || policy === undefined) continue;
    const script = typed_config?.default_source_code?.inline_string ?? "";
    const digest = kind === "wasm" ? (typed_config?.config?.vm_config?.code?.remote?.sha256 ?? "") : sha256(script);
    const common = { policy, index: Number(index), digest };
    filters.set(
      name,
      kind === "wasm" ? { kind, ...common, name: typed_config?.config?.name } : { kind: "lua", ...common },
    );
  }
  const rejected = rejectionOf(dump);
  return { filters: [...filters.values()], ...(rejected !== undefined && { rejected }) };
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
export async function digestInForce(
  api: KubeApi,
  filter: { name: string; digest: string },
): Promise<string | undefined> {
  const pods = await proxyPods(api);
  if (pods.length === 0) throw new UserError(`no proxy of Gateway ${ourGateway.namespace}/${ourGateway.name} is ready`);
  const digests = (await Promise.all(pods.map((pod) => inForce(api, pod)))).map((one) => digestOf(one, filter));
  return (
    digests.find((digest) => digest !== filter.digest) ?? (digests.includes(undefined) ? undefined : filter.digest)
  );
}

/** What a proxy runs for a filter. A script has no name there: it is known by its text. */
export function digestOf({ filters }: InForce, { name, digest }: { name: string; digest: string }): string | undefined {
  const digests = filters.flatMap((f) =>
    f.name === name || (f.kind === "lua" && f.digest === digest) ? [f.digest] : [],
  );
  return digests.find((one) => one !== digest) ?? digests[0];
}
