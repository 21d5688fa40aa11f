import type { Route } from "../config/route.ts";

/**
 * A service that requests end at. Routes, filters' targets and filters' own calls name it; this is all that a mesh knows
 * of it, be it the demo's or a person's own.
 */
export interface Backend {
  /** As the configuration names it, and the proxy's cluster for filters' calls. */
  name: string;
  at: Address;
  /** Its pods, where it has any. */
  pods?: Pods;
}

/** A port of a Service in the cluster, or a URL: of this machine, where every workload has one, or of another. */
export type Address = ServiceAddress | UrlAddress;

export interface ServiceAddress {
  type: "service";
  namespace: string;
  service: string;
  port: number;
  http: HttpVersions;
}

export interface UrlAddress {
  type: "url";
  /** What is connected to: a name, or an IP address. */
  host: string;
  port: number;
  /** Requests go below it: `/v1`; none where it is empty. */
  path: string;
  /** The Host header that it is sent. None: the request's own. */
  authority?: string;
  /** It speaks TLS. */
  tls?: {
    /** The name that is asked for (SNI), and that its certificate has to have. */
    serverName: string;
    /** Certificate authorities, in PEM. None: the system's. */
    authorities?: string;
  };
  http: HttpVersions;
}

/** What it speaks: HTTP/1, HTTP/2, or both, and is then spoken to as the client speaks. */
export type HttpVersions = 1 | 2 | "both";

export interface Pods {
  namespace: string;
  /** Labels that select them, and nothing else in the namespace. */
  selector: Record<string, string>;
  /** Labels that they all have. */
  labels: Record<string, string>;
  /** Of those that somebody else has made: the containers that they all have, a sidecar among them. */
  containers?: string[];
}

/** A route with the backend that it leads to. */
export type BackendRoute = Omit<Route, "workload"> & { backend: Backend };

/** A process of this machine, which listens on loopback. */
export function onThisMachine(name: string, port: number, http: HttpVersions = 1): Backend {
  return { name, at: { type: "url", host: "127.0.0.1", port, path: "", http } };
}

/** What a proxy connects to. */
export function endpointOf(at: Address): { host: string; port: number } {
  if (at.type === "url") return { host: at.host, port: at.port };
  return { host: `${at.service}.${at.namespace}.svc.cluster.local`, port: at.port };
}

/** A backend as the stack's output `workloads` has it, for people and commands. */
export interface DescribedBackend {
  /** `http://127.0.0.1:3000`, `https://api.example.com:443/v1`, `shop/cart:80`. */
  address: string;
  /** Of a Service that somebody else has made: where its pods are, and the container that a log is asked of. */
  pods?: { namespace: string; selector: Record<string, string>; container: string };
}

export function describeBackends(backends: Backend[]): Record<string, DescribedBackend> {
  return Object.fromEntries(backends.map((backend) => [backend.name, described(backend)]));
}

function described({ at, pods }: Backend): DescribedBackend {
  if (at.type === "url") {
    const host = at.host.includes(":") ? `[${at.host}]` : at.host;
    return { address: `${at.tls ? "https" : "http"}://${host}:${at.port}${at.path}` };
  }
  const address = `${at.namespace}/${at.service}:${at.port}`;
  const [container] = pods?.containers ?? [];
  if (!pods || container === undefined) return { address };
  return { address, pods: { namespace: pods.namespace, selector: pods.selector, container } };
}

/** What requests' paths go below: `/v1`; empty for all but some URLs. */
export function pathOf({ at }: Backend): string {
  return at.type === "url" ? at.path : "";
}

/** Each route with its backend; the configuration lets no other name through. */
export function withBackends(routes: Route[], backends: Backend[]): BackendRoute[] {
  return routes.map(({ workload, ...route }) => {
    const backend = backends.find(({ name }) => name === workload);
    if (!backend) throw new Error(`route ${route.name}: there is no workload ${workload}`);
    return { ...route, backend };
  });
}
