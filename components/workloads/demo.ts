import { type Backend, type HttpVersions, onThisMachine } from "./backend.ts";
import { labels, servicePort } from "./kubernetes/pod.ts";

/** Where the stack's own workloads are, in a cluster. */
export const namespace = "default";

/** The demo's workloads, which a stack has that declares none of its own. */
export const demoNames = ["httpbin", "httpbin-two", "echo", "bursting-metrics"] as const;
export type DemoName = (typeof demoNames)[number];

/** @param ports of this machine */
export function demoOnThisMachine(ports: Record<DemoName, number>): Backend[] {
  return demoNames.map((name) => onThisMachine(name, ports[name]));
}

export function demoInCluster(namespace: string): Backend[] {
  return demoNames.map((name) => deployed(name, namespace));
}

/** A workload that the stack deploys, with a Service of the same name. */
export function deployed(name: string, namespace: string, http: HttpVersions = 1): Backend {
  return {
    name,
    at: { type: "service", namespace, service: name, port: servicePort, http },
    pods: { namespace, selector: { app: name }, labels: labels(name) },
  };
}
