/** Envoy's configuration for a measurement: a listener for each chain. Pure. */

import { cluster } from "../../components/mesh/standalone/envoy.ts";
import { onThisMachine } from "../../components/workloads/backend.ts";
import type { Json, Resource } from "../../envoy/discovery.ts";
import type { Arm, HttpFilter } from "./arms.ts";

const type = (name: string) => `type.googleapis.com/envoy.${name}`;

/** The slow upstream, by its name in Envoy. */
export const slowCluster = "slow";

/** Spoken to by HTTP/2. */
export function slowUpstream(port: number): Resource {
  return {
    ...cluster(onThisMachine(slowCluster, port)),
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": type("extensions.upstreams.http.v3.HttpProtocolOptions"),
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  };
}

/** The path of requests that are held open; every other one is answered by Envoy itself. */
export const heldPath = "/held";

/** How many filters of an arm stand behind one another. */
export const chainLengths = [1, 4, 16] as const;

export const listenerName = (arm: string, length: number) => `${arm}-${length}`;

/** An arm's filter `length` times; with 0 of them, no filter but the router. */
export function chainListener(arm: Pick<Arm, "name" | "filter">, length: number): Resource {
  const filters = Array.from({ length }, (_, i) => arm.filter(i + 1));
  return benchListener(listenerName(arm.name, length), filters, slowCluster);
}

/**
 * A listener on a port that Envoy picks.
 * @param heldBy the cluster of requests that are held open
 */
export function benchListener(name: string, filters: HttpFilter[], heldBy?: string): Resource {
  return {
    "@type": type("config.listener.v3.Listener"),
    name,
    address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
              stat_prefix: "bench",
              route_config: { name: "bench", virtual_hosts: [virtualHost(heldBy)] },
              http_filters: [
                ...filters.map(({ name, typed_config }) => ({ name, typed_config })),
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": type("extensions.filters.http.router.v3.Router") },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

function virtualHost(heldBy: string | undefined): Json {
  return {
    name: "bench",
    domains: ["*"],
    routes: [
      ...(heldBy === undefined ? [] : [{ match: { path: heldPath }, route: { cluster: heldBy, timeout: "0s" } }]),
      { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "ok" } } },
    ],
  };
}
