import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { UrlAddress } from "../../workloads/backend.ts";
import { namespace } from "../manifest.ts";
import { backendKind, clientProtocolPolicy, urlBackend } from "./url.ts";

export interface UrlBackendArgs {
  at: UrlAddress;
  /** Names of the HTTPRoutes that lead to it. */
  routes: string[];
  /** Envoy Gateway's own resources can be made. */
  ready: pulumi.Resource[];
}

/** What Envoy Gateway reaches a URL by. */
export class UrlBackend extends pulumi.ComponentResource {
  /** What has to be there before a route to it. */
  readonly resources: pulumi.Resource[];

  constructor(name: string, args: UrlBackendArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:envoy-gateway:UrlBackend", name, {}, opts);
    const { at, routes, ready } = args;
    const own = { parent: this, dependsOn: ready };

    const backend = createBackend();
    this.resources = at.http === "both" && routes.length > 0 ? [backend, createPolicy()] : [backend];
    this.registerOutputs({});

    function createBackend(): kubernetes.apiextensions.CustomResource {
      const { metadata, spec } = createAuthorities().apply((map) => pulumi.output(urlBackend(name, at, map)));
      const made = { ...backendKind, metadata: { name: metadata.name, namespace: metadata.namespace }, spec };
      return new kubernetes.apiextensions.CustomResource(name, made, own);
    }

    function createPolicy(): kubernetes.apiextensions.CustomResource {
      const { metadata, ...policy } = clientProtocolPolicy(routes, name);
      return new kubernetes.apiextensions.CustomResource(metadata.name, { ...policy, metadata }, own);
    }

    /** @returns name of the ConfigMap with its own authorities; another text is another ConfigMap */
    function createAuthorities(): pulumi.Output<string | undefined> {
      if (at.tls?.authorities === undefined) return pulumi.output(undefined);
      const map = { metadata: { namespace }, data: { "ca.crt": at.tls.authorities }, immutable: true };
      return new kubernetes.core.v1.ConfigMap(name, map, own).metadata.name;
    }
  }
}
