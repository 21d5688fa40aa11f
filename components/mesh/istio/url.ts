import type { Backend, UrlAddress } from "../../workloads/backend.ts";
import { type NamedManifest, namespace } from "../manifest.ts";

/** A name that nobody else in the mesh has: other people's settings for the URL's own host are left alone. */
export const urlHost = (name: string) => `${name}.url.meshup.invalid`;

/** As an HTTPRoute refers to it. */
export function urlRef({ name, at }: Backend) {
  return { group: "networking.istio.io", kind: "Hostname", name: urlHost(name), port: at.port };
}

export const serviceEntryKind = { apiVersion: "networking.istio.io/v1", kind: "ServiceEntry" };
export const destinationRuleKind = { apiVersion: "networking.istio.io/v1", kind: "DestinationRule" };

/** https://istio.io/latest/docs/reference/config/networking/service-entry/ */
export function serviceEntry(name: string, { host, port, http }: UrlAddress): NamedManifest {
  return {
    ...serviceEntryKind,
    metadata: { name, namespace },
    spec: {
      hosts: [urlHost(name)],
      location: "MESH_EXTERNAL",
      // TLS is begun by the proxy: see `destinationRule`.
      ports: [{ number: port, name: "http", protocol: http === 2 ? "HTTP2" : "HTTP" }],
      resolution: /^[\d.]+$|:/.test(host) ? "STATIC" : "DNS",
      endpoints: [{ address: host }],
    },
  };
}

/**
 * https://istio.io/latest/docs/reference/config/networking/destination-rule/
 * @param authorities name of the Secret in the gateway's namespace that has its own certificate authorities; none: the
 * system's are asked
 */
export function destinationRule(name: string, { tls, http }: UrlAddress, authorities?: string): NamedManifest {
  return {
    ...destinationRuleKind,
    metadata: { name, namespace },
    spec: {
      host: urlHost(name),
      trafficPolicy: {
        // What speaks both is spoken to as the client speaks: only so does an upgrade to a WebSocket get through, and gRPC.
        ...(http === "both" && { connectionPool: { http: { useClientProtocol: true } } }),
        ...(tls && {
          tls: {
            mode: "SIMPLE",
            sni: tls.serverName,
            subjectAltNames: [tls.serverName],
            ...(authorities === undefined ? { caCertificates: "system" } : { credentialName: authorities }),
          },
        }),
      },
    },
  };
}
