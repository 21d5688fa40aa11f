import type { WorkloadName } from "../config/config.ts";
import { servicePort } from "../workloads/kubernetes/pod.ts";
import { hostOf } from "./manifest.ts";

/** A workload as an Envoy cluster for filters' calls, under the name that it has on this machine's Envoy too. */
export function calloutCluster(name: WorkloadName) {
  const address = { address: hostOf(name), port_value: servicePort };
  return {
    name,
    type: "STRICT_DNS",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: address } } }] }],
    },
  };
}
