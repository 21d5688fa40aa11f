import { namespace } from "../manifest.ts";

/** As `meshup:mesh` names it. */
export const name = "istio";

/** Where istiod runs; what stands here is for every namespace. */
export const rootNamespace = "istio-system";
/** Where the gateway runs, be it the chart's or one that istiod makes of a Gateway of the Gateway API. */
export const gatewayNamespace = "istio-ingress";
export const gatewayRelease = "istio-ingressgateway";
/** The chart takes the prefix `istio-` away. */
export const gatewaySelector = { istio: "ingressgateway" };

/** What istiod makes a gateway of, and filters name. */
export const apiGatewayName = "gateway";
/** istiod's name of an HTTPRoute's only rule, and so Envoy's of the route. */
export const apiRouteName = (route: string) => `${namespace}.${route}.0`;

export const wasmPluginKind = { apiVersion: "extensions.istio.io/v1alpha1", kind: "WasmPlugin" };
export const envoyFilterKind = { apiVersion: "networking.istio.io/v1alpha3", kind: "EnvoyFilter" };
