import { FilterTrap, type LogLine, PluginRefused, UnsupportedModule } from "../abi/errors.ts";
import type { ClusterAnswer } from "../hostcalls/clusters.ts";
import type { Property } from "../hostcalls/properties.ts";
import type { SeenResponse } from "../plugin/message.ts";
import { Plugin } from "../plugin/plugin.ts";

/** What is examined: data only, so that it can be sent to a thread. */
export interface Subject {
  wasm: Uint8Array;
  rootId?: string;
  configuration?: string;
  vmConfiguration?: string;
  pluginName?: string;
  vmId?: string;
  properties?: { [name: string]: Property };
  /** Undefined: the filter may call any cluster, and never gets an answer. */
  clusters?: Record<string, ClusterAnswer>;
  /** In place of that: the only clusters that it may call, by exact name or `/regex/`; none ever answers. */
  callable?: string[];
}

export type Finding =
  | { kind: "sound"; warnings: string[]; adds: Record<string, string> }
  | { kind: "refused"; what: string; stack: string[] };

/** Tells as it goes on, so that something is known of a module that never comes back. */
export interface Witness {
  onLog: (line: LogLine) => void;
  onCall: (callback: string) => void;
}

const upstream = { status: 200, headers: { "content-type": "text/plain", "content-length": "3" }, body: "ok\n" };

/** How often the clock moves to the module's next tick: enough for what it polls to arrive and be used. */
const ticks = 3;

/** Loads and configures the module as Envoy would, lets its timer run, and sends one plain GET through it. */
export function examine({ clusters, callable, ...subject }: Subject, { onLog, onCall }: Witness): Finding {
  const refused = new Set<string>();
  const ifCallable = (name: string) => {
    if (callable === undefined || callable.some((known) => matches(known, name))) return "silent";
    refused.add(name);
    return "refuse";
  };
  try {
    const plugin = Plugin.load({
      ...subject,
      ...(clusters ? { clusters } : { unknownClusters: ifCallable }),
      onLog,
      onCall,
    });
    for (let i = 0; i < ticks && !plugin.trap && plugin.tick(); i++);
    if (plugin.trap) return refusal(plugin.trap);
    const stream = plugin.stream();
    const { response, local } = stream.exchange({ headers: { "user-agent": "meshup" } }, upstream);
    stream.close();
    if (plugin.trap) return refusal(plugin.trap);
    if (refused.size > 0) return { kind: "refused", what: unknownCluster([...refused], callable ?? []), stack: [] };
    return { kind: "sound", warnings: [], adds: local ? {} : added(response) };
  } catch (error) {
    if (error instanceof FilterTrap || error instanceof PluginRefused) return refusal(error);
    if (!(error instanceof UnsupportedModule)) throw error;
    const v8 = `Node ${process.version}'s V8 (${process.versions.v8})`;
    return {
      kind: "sound",
      warnings: [`not run here: ${v8} does not know all of it (${error.message}); the proxy's V8 may`],
      adds: {},
    };
  }
}

function refusal(error: FilterTrap | PluginRefused): Finding {
  return { kind: "refused", what: error.message, stack: error instanceof FilterTrap ? error.wasmStack : [] };
}

/** The response headers that the upstream did not send, or not so. */
function added(response: SeenResponse | undefined): Record<string, string> {
  const sent: Record<string, string> = upstream.headers;
  return Object.fromEntries(Object.entries(response?.headers ?? {}).filter(([name, value]) => sent[name] !== value));
}

/** @param known the exact name, or `/regex/` */
function matches(known: string, name: string): boolean {
  const pattern = /^\/(.+)\/$/.exec(known)?.[1];
  return pattern === undefined ? known === name : new RegExp(pattern).test(name);
}

function unknownCluster(names: string[], callable: string[]): string {
  const called = names.map((name) => `"${name}"`).join(" and ");
  return `it calls the cluster ${called}, which the proxy does not know; it knows ${callable.join(", ") || "none"}`;
}
