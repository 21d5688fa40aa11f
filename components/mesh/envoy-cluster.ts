import { isIP } from "node:net";
import { type Backend, endpointOf } from "../workloads/backend.ts";

/** A backend as an Envoy cluster of its own name: for filters' calls, and on this machine for routes, too. */
export function envoyCluster({ name, at }: Backend) {
  const { host, port } = endpointOf(at);
  const address = { address: host, port_value: port };
  return {
    name,
    type: isIP(host) === 0 ? "STRICT_DNS" : "STATIC",
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: address } } }] }],
    },
  };
}
