import { namespace } from "../manifest.ts";

/** As `meshup:mesh` names it; its chart, its deployment and its container are named so, too. */
export const name = "envoy-gateway";

/** Where Envoy Gateway runs, and the proxies that it starts. */
export const controllerNamespace = "envoy-gateway-system";
/** The stack's one Gateway. */
export const gatewayName = "gateway";
export const gateway = { namespace, name: gatewayName };

export const policyKind = { apiVersion: "gateway.envoyproxy.io/v1alpha1", kind: "EnvoyExtensionPolicy" };
