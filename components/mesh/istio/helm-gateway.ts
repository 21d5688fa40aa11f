import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { installChart } from "./control-plane.ts";
import type { Gateway, GatewayArgs } from "./gateway.ts";
import { gatewayNamespace, gatewayRelease } from "./names.ts";
import { gateway, virtualServices } from "./routing.ts";
import { gatewayValues } from "./values.ts";

/** Istio's gateway chart, and the routes as Istio's own resources. */
export class HelmGateway extends pulumi.ComponentResource implements Gateway {
  readonly resources: pulumi.Resource[];

  constructor(name: string, args: GatewayArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:istio:HelmGateway", name, {}, opts);
    const parent = this;
    const { config, routes, controlPlane, volumes, before } = args;
    const { ready, gatewayNamespace: namespaceResource, callouts } = controlPlane;

    this.resources = [installGateway(), ...createRoutes()];
    this.registerOutputs({});

    /** Its pods' image is the injector's choice. */
    function installGateway(): kubernetes.helm.v3.Release {
      const values = volumes.apply((volumes) => gatewayValues({ volumes, podAnnotations: controlPlane.proxySettings }));
      const dependsOn = [ready, namespaceResource, callouts, ...before];
      const chart = { config, chart: "gateway", namespace: gatewayNamespace, values };
      return installChart(gatewayRelease, chart, { parent, dependsOn });
    }

    function createRoutes(): pulumi.Resource[] {
      return [gateway(), ...virtualServices(routes)].map(
        (manifest) =>
          new kubernetes.apiextensions.CustomResource(manifest.metadata.name as string, manifest, {
            parent,
            dependsOn: [ready],
          }),
      );
    }
  }
}
