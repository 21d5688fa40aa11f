import type { Backend, UrlAddress } from "../../workloads/backend.ts";
import { type NamedManifest, namespace } from "../manifest.ts";

/** How Envoy Gateway reaches a URL: https://gateway.envoyproxy.io/docs/api/extension_types/#backend */
export const backendKind = { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind: "Backend" };

/** As an HTTPRoute refers to it. */
export function urlRef({ name }: Backend) {
  return { group: "gateway.envoyproxy.io", kind: backendKind.kind, name };
}

/** @param authorities name of the ConfigMap that has its own certificate authorities; none: the system's are asked */
export function urlBackend(name: string, at: UrlAddress, authorities?: string): NamedManifest {
  const { host, port, tls, http } = at;
  return {
    ...backendKind,
    metadata: { name, namespace },
    spec: {
      endpoints: [/^[\d.]+$|:/.test(host) ? { ip: { address: host, port } } : { fqdn: { hostname: host, port } }],
      ...(http === 2 && !tls && { appProtocols: ["gateway.envoyproxy.io/h2c"] }),
      ...(tls && {
        tls: {
          sni: tls.serverName,
          ...(authorities === undefined
            ? { wellKnownCACertificates: "System" }
            : { caCertificateRefs: [{ group: "", kind: "ConfigMap", name: authorities }] }),
        },
      }),
    },
  };
}

/** What speaks both is spoken to as the client speaks: only so does an upgrade to a WebSocket get through, and gRPC. */
export function clientProtocolPolicy(routes: string[], name: string): NamedManifest {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "BackendTrafficPolicy",
    metadata: { name: `url-${name}`, namespace },
    spec: {
      targetRefs: routes.map((route) => ({ group: "gateway.networking.k8s.io", kind: "HTTPRoute", name: route })),
      useClientProtocol: true,
    },
  };
}
