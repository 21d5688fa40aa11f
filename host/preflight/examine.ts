import { randomUUID } from "node:crypto";
import { ofConnection } from "../../lib/header-text.ts";
import { FilterTrap, type LogLine, PluginRefused, UnsupportedModule } from "../abi/errors.ts";
import type { ClusterAnswer } from "../hostcalls/clusters.ts";
import type { Property } from "../hostcalls/properties.ts";
import type { SeenRequest, StreamRequest } from "../plugin/message.ts";
import { Plugin } from "../plugin/plugin.ts";
import type { StreamResult } from "../plugin/stream.ts";

export interface ExaminedRequest {
  method: string;
  path: string;
  /** The Host header. */
  authority: string;
  headers: Record<string, string>;
  body?: string;
}

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
  /** The request that is sent through it, as the proxy gets it. Default: a plain GET. */
  request?: ExaminedRequest;
  /** In place of that: the only clusters that it may call, by exact name or `/regex/`; none ever answers. */
  callable?: string[];
}

/** What a sound filter did with its request, and with the response of a workload that answers 200. */
export interface Effects {
  /** Response headers that the workload did not send, or not so, as they were the first time. */
  adds: Record<string, string>;
  /** Which of them have another value each time. */
  varies?: string[];
  /** The response's status, where the filter has made it another, or has answered by itself. */
  status?: number;
  /** What else it did, in words: nothing of it shows by itself on a response. */
  notes?: string[];
}

export type Finding =
  | ({ kind: "sound"; warnings: string[] } & Effects)
  | { kind: "refused"; what: string; stack: string[] };

/** Tells as it goes on, so that something is known of a module that never comes back. */
export interface Witness {
  onLog: (line: LogLine) => void;
  onCall: (callback: string) => void;
}

const plainGet: ExaminedRequest = { method: "GET", path: "/", authority: "localhost", headers: {} };

const upstream = { status: 200, headers: { "content-type": "text/plain", "content-length": "3" }, body: "ok\n" };

/** How often the clock moves to the module's next tick: enough for what it polls to arrive and be used. */
const ticks = 3;

/** The second look at a filter is at another time of the day, in another year. */
const laterMs = ((400 * 24 + 3) * 60 + 7) * 60_000 + 11_123;

/**
 * Loads and configures the module as Envoy would, lets its timer run, and sends one request through it. A second request,
 * and a third one through the module loaded anew, tell which headers have another value each time.
 */
export function examine({ clusters, callable, request = plainGet, ...subject }: Subject, witness: Witness): Finding {
  const refused = new Set<string>();
  const ifCallable = (name: string) => {
    if (callable === undefined || callable.some((known) => matches(known, name))) return "silent";
    refused.add(name);
    return "refuse";
  };
  const load = (onLog: (line: LogLine) => void, now = Date.now()) => {
    const known = clusters ? { clusters } : { unknownClusters: ifCallable };
    const plugin = Plugin.load({ ...subject, ...known, now, onLog, onCall: witness.onCall });
    for (let i = 0; i < ticks && !plugin.trap && plugin.tick(); i++);
    return plugin;
  };
  const refusedCalls = () => (refused.size > 0 ? [unknownCluster([...refused], callable ?? [])] : []);
  // What comes of a call that could not be made has that for its cause.
  const refusal = (error: FilterTrap | PluginRefused): Finding => {
    const stack = error instanceof FilterTrap ? error.wasmStack : [];
    return { kind: "refused", what: [...refusedCalls(), error.message].join("; "), stack };
  };
  let onLog = witness.onLog;
  try {
    const plugin = load((line) => onLog(line));
    if (plugin.trap) return refusal(plugin.trap);
    const first = exchange(plugin, request);
    if (plugin.trap) return refusal(plugin.trap);
    const broken = brokenFraming(first, request);
    if (broken) return { kind: "refused", what: broken, stack: [] };

    const later: LogLine[] = [];
    onLog = (line) => later.push(line);
    const second = exchange(plugin, request);
    if (plugin.trap) later.forEach(witness.onLog); // the words of its end
    if (plugin.trap) return refusal(plugin.trap);
    const others = [second, ...again(load, request)];
    const [unknown] = refusedCalls();
    if (unknown !== undefined) return { kind: "refused", what: unknown, stack: [] };
    return { kind: "sound", warnings: [], ...effects(request, first, others) };
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

/** The same through a new VM, much later. What a filter makes of another time by failing is no finding. */
function again(load: (onLog: () => void, now: number) => Plugin, request: ExaminedRequest): Exchange[] {
  try {
    const plugin = load(() => {}, Date.now() + laterMs);
    const seen = plugin.trap ? undefined : exchange(plugin, request);
    return seen && !plugin.trap ? [seen] : [];
  } catch (error) {
    if (error instanceof FilterTrap || error instanceof PluginRefused) return [];
    throw error;
  }
}

interface Exchange extends StreamResult {
  /** Bytes of the bodies that have left the filter. */
  bytes: { request: number; response: number };
  /** As the filter got it. */
  given: Record<string, string>;
}

function exchange(plugin: Plugin, { method, path, authority, headers, body }: ExaminedRequest): Exchange {
  // As Envoy adds them, and its client.
  const given: Record<string, string> = { ...headers, "x-forwarded-proto": "http", "x-request-id": randomUUID() };
  if (body !== undefined) given["content-length"] = String(Buffer.byteLength(body));
  const request: StreamRequest = { method, path, authority, headers: given, body };
  const stream = plugin.stream();
  const answer = method === "HEAD" ? { ...upstream, body: "" } : upstream;
  const result = stream.exchange(request, answer);
  const { bytes } = stream;
  stream.close();
  return { ...result, bytes, given };
}

/** A message whose `content-length` is not the length of its body breaks off, or never ends. */
function brokenFraming(seen: Exchange, { method }: ExaminedRequest): string | undefined {
  const check = (what: string, headers: Record<string, string> | undefined, bytes: number) => {
    const said = headers?.["content-length"];
    if (said === undefined || said === String(bytes)) return undefined;
    return `it lets a ${what} go on with content-length: ${said} and a body of ${bytes} bytes: where a filter changes a body, it has to remove that header, and it cannot set it`;
  };
  const request = check("request", seen.request?.headers, seen.bytes.request);
  if (request || method === "HEAD" || seen.state !== "complete") return request;
  return check("response", seen.response?.headers, seen.bytes.response);
}

function effects(sent: ExaminedRequest, first: Exchange, others: Exchange[]): Effects {
  const [adds, ...more] = [first, ...others].map(added) as [Record<string, string>, ...Record<string, string>[]];
  // What is there only now and then shows nothing when it is not.
  const always = Object.entries(adds).filter(([name]) => more.every((other) => name in other));
  const varies = always.filter(([name, value]) => more.some((other) => other[name] !== value)).map(([name]) => name);
  const statuses = new Set([first, ...others].map(({ response }) => response?.status));
  const status = first.response?.status;
  const notes = notesOn(sent, first);
  return {
    adds: Object.fromEntries(always),
    ...(varies.length > 0 && { varies }),
    ...(status !== undefined && status !== upstream.status && statuses.size === 1 && { status }),
    ...(notes.length > 0 && { notes }),
  };
}

/** The response headers that the upstream did not send, or not so. */
function added({ response }: Exchange): Record<string, string> {
  const sent: Record<string, string> = upstream.headers;
  const changed = ([name, value]: [string, string]) => sent[name] !== value && !ofConnection.has(name);
  return Object.fromEntries(Object.entries(response?.headers ?? {}).filter(changed));
}

function notesOn(sent: ExaminedRequest, { request, response, local, state, given }: Exchange): string[] {
  const notes: string[] = [];
  if (state === "waiting") notes.push("it holds the request until what it has called answers");
  if (state === "reset") notes.push("it breaks the connection off");
  if (local && response) notes.push(`it answers by itself, with ${response.status}`);
  if (request) notes.push(...changesOf(sent, given, request));
  if (!local && response && sent.method !== "HEAD" && response.body !== upstream.body)
    notes.push("it changes the response's body");
  return notes;
}

function changesOf(sent: ExaminedRequest, given: Record<string, string>, seen: SeenRequest): string[] {
  const names = new Set([...Object.keys(given), ...Object.keys(seen.headers)]);
  const changed = [...names].filter((name) => given[name] !== seen.headers[name] && name !== "content-length");
  const what = [
    ...(changed.length > 0 ? [changed.join(", ")] : []),
    ...(seen.path !== sent.path ? ["its path"] : []),
    ...(seen.authority !== sent.authority ? ["its host"] : []),
    ...(seen.method !== sent.method ? ["its method"] : []),
    ...(seen.body !== (sent.body ?? "") ? ["its body"] : []),
  ];
  return what.length > 0 ? [`it changes the request: ${what.join("; ")}`] : [];
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
