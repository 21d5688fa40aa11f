import { isIP } from "node:net";
import type { Json } from "../../envoy/discovery.ts";
import { type Backend, endpointOf, type HttpVersions, type UrlAddress } from "../workloads/backend.ts";

const type = (name: string) => `type.googleapis.com/envoy.${name}`;

/** Where the meshes' images of Envoy have the certificate authorities that everybody trusts. */
export const imageAuthorities = "/etc/ssl/certs/ca-certificates.crt";

/**
 * A backend as an Envoy cluster of its own name: for filters' calls, and on this machine for routes, too.
 * @param authorities Envoy's file of the certificate authorities that everybody trusts
 */
export function envoyCluster({ name, at }: Backend, authorities: string) {
  const { host, port } = endpointOf(at);
  const address = { address: host, port_value: port };
  return {
    name,
    type: isIP(host) === 0 ? "STRICT_DNS" : "STATIC",
    connect_timeout: at.type === "url" && isIP(host) === 0 ? "5s" : "1s",
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: address } } }] }],
    },
    ...(at.type === "url" && urlFields(at, authorities)),
    ...(at.http !== 1 && { typed_extension_protocol_options: protocolOptions(at.http) }),
  };
}

function urlFields({ host, tls }: UrlAddress, authorities: string): Record<string, Json> {
  return {
    // The other way round, a name with addresses of both kinds would not be reached where there is no IPv6.
    ...(isIP(host) === 0 && { dns_lookup_family: "V4_PREFERRED" }),
    ...(tls && { transport_socket: transportSocket(tls, authorities) }),
  };
}

function transportSocket({ serverName, authorities }: NonNullable<UrlAddress["tls"]>, systemFile: string): Json {
  const isName = isIP(serverName) === 0;
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": type("extensions.transport_sockets.tls.v3.UpstreamTlsContext"),
      ...(isName && { sni: serverName }),
      common_tls_context: {
        validation_context: {
          trusted_ca: authorities === undefined ? { filename: systemFile } : { inline_string: authorities },
          match_typed_subject_alt_names: [{ san_type: isName ? "DNS" : "IP_ADDRESS", matcher: { exact: serverName } }],
        },
      },
    },
  };
}

/** What speaks both is spoken to as the client speaks: only so does an upgrade to a WebSocket get through, and gRPC. */
function protocolOptions(http: HttpVersions): Json {
  const both = { http_protocol_options: {}, http2_protocol_options: {} };
  const only2 = { http2_protocol_options: {} };
  return {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": type("extensions.upstreams.http.v3.HttpProtocolOptions"),
      ...(http === "both" ? { use_downstream_protocol_config: both } : { explicit_http_config: only2 }),
    },
  };
}
