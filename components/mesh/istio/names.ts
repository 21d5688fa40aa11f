/** Where istiod runs; what stands here is for every namespace. */
export const rootNamespace = "istio-system";
/** Where the gateway runs. */
export const gatewayNamespace = "istio-ingress";
export const gatewayRelease = "istio-ingressgateway";
/** The chart takes the prefix `istio-` away. */
export const gatewaySelector = { istio: "ingressgateway" };
/** Where workloads and routes are. */
export const namespace = "default";

export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name?: string; namespace: string };
  spec: Record<string, unknown>;
}

export type Kind = Pick<Manifest, "apiVersion" | "kind">;
export const wasmPluginKind = { apiVersion: "extensions.istio.io/v1alpha1", kind: "WasmPlugin" };
export const envoyFilterKind = { apiVersion: "networking.istio.io/v1alpha3", kind: "EnvoyFilter" };
