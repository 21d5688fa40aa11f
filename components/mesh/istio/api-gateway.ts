import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";
import type { Backend } from "../../workloads/backend.ts";
import { httpRoute, needGrants, referenceGrant } from "../http-route.ts";
import { type Manifest, namespace } from "../manifest.ts";
import type { Gateway, GatewayArgs } from "./gateway.ts";
import { apiGatewayName, gatewayNamespace } from "./names.ts";
import { urlRef } from "./url.ts";

const optionsName = "gateway-options";
const definitionsRelease =
  "https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.6.1/standard-install.yaml";

/** A Gateway of the Gateway API, whose pods istiod makes, and its HTTPRoutes. */
export class ApiGateway extends pulumi.ComponentResource implements Gateway {
  readonly resources: pulumi.Resource[];

  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:istio:ApiGateway", name, {}, opts);
    const parent = this;
    const { config, routes, controlPlane } = args;

    const definitions = defineKinds();
    const options = createOptions();
    const gateway = createGateway();
    this.resources = [gateway, ...needGrants(routes).map(grant), ...createRoutes()];
    this.registerOutputs({});

    /**
     * Kubernetes comes without them. istiod is there first, as it is where another gateway goes before this one. They
     * stay: with them would go everybody's gateways, and istiod is slow to see them come again.
     */
    function defineKinds(): kubernetes.yaml.v2.ConfigFile {
      const file = config.gatewayApi ?? definitionsRelease;
      const opts = { parent, dependsOn: [controlPlane.ready], retainOnDelete: true };
      return new kubernetes.yaml.v2.ConfigFile("gateway-api", { file, skipAwait: false }, opts);
    }

    function createOptions(): kubernetes.core.v1.ConfigMap {
      const metadata = { name: optionsName, namespace: gatewayNamespace };
      return new kubernetes.core.v1.ConfigMap(
        optionsName,
        { metadata, data: gatewayOptions(controlPlane.proxySettings) },
        { parent, dependsOn: [controlPlane.gatewayNamespace] },
      );
    }

    /** Whether it answers, filters and proofs tell: istiod 1.31 may overlook that its pods have become ready. */
    function createGateway(): kubernetes.apiextensions.CustomResource {
      const annotations = { "pulumi.com/waitFor": "condition=Accepted" };
      const { metadata, ...rest } = apiGateway();
      return new kubernetes.apiextensions.CustomResource(
        apiGatewayName,
        { ...rest, metadata: { ...metadata, annotations } },
        { parent, dependsOn: [definitions, controlPlane.callouts, options] },
      );
    }

    function createRoutes(): kubernetes.apiextensions.CustomResource[] {
      const opts = { parent, dependsOn: [gateway] };
      const of = { gateway: { name: apiGatewayName, namespace: gatewayNamespace }, urlRef };
      return routes.map((route) => new kubernetes.apiextensions.CustomResource(route.name, httpRoute(route, of), opts));
    }

    function grant(backend: Backend): kubernetes.apiextensions.CustomResource {
      const opts = { parent, dependsOn: [definitions] };
      return new kubernetes.apiextensions.CustomResource(backend.name, referenceGrant(backend), opts);
    }
  }
}

/** https://istio.io/latest/docs/tasks/traffic-management/ingress/gateway-api/ */
export function apiGateway(): Manifest {
  const parametersRef = { group: "", kind: "ConfigMap", name: optionsName };
  const selector = { matchLabels: { "kubernetes.io/metadata.name": namespace } };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: apiGatewayName, namespace: gatewayNamespace },
    spec: {
      gatewayClassName: "istio",
      infrastructure: { parametersRef },
      listeners: [
        { name: "http", protocol: "HTTP", port: 80, allowedRoutes: { namespaces: { from: "Selector", selector } } },
      ],
    },
  };
}

/** What istiod merges into the Service and the Deployment that it makes. */
export function gatewayOptions(podAnnotations: Record<string, string>): Record<string, string> {
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } };
  return {
    service: stringify({ spec: { type: "ClusterIP" } }), // a balancer is istiod's choice
    deployment: stringify({ spec: { strategy, template: { metadata: { annotations: podAnnotations } } } }),
  };
}
