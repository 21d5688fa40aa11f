import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { UrlAddress } from "../../workloads/backend.ts";
import type { NamedManifest } from "../manifest.ts";
import { gatewayNamespace } from "./names.ts";
import { destinationRule, destinationRuleKind, serviceEntry } from "./url.ts";

export interface UrlBackendArgs {
  at: UrlAddress;
  /** istiod takes Istio's own resources, and the gateway's namespace is there. */
  ready: pulumi.Resource[];
}

/** What Istio's proxies reach a URL by, under a name of the stack's own. */
export class UrlBackend extends pulumi.ComponentResource {
  /** What has to be there before a route answers. */
  readonly resources: pulumi.Resource[];

  constructor(name: string, args: UrlBackendArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:istio:UrlBackend", name, {}, opts);
    const { at, ready } = args;
    const own = { parent: this, dependsOn: ready };

    const entry = create(serviceEntry(name, at));
    this.resources = at.tls || at.http === "both" ? [entry, createRule()] : [entry];
    this.registerOutputs({});

    function create({ metadata, ...manifest }: NamedManifest): kubernetes.apiextensions.CustomResource {
      return new kubernetes.apiextensions.CustomResource(name, { ...manifest, metadata }, own);
    }

    function createRule(): kubernetes.apiextensions.CustomResource {
      const { metadata, spec } = createAuthorities().apply((secret) =>
        pulumi.output(destinationRule(name, at, secret)),
      );
      const rule = { ...destinationRuleKind, metadata: { name: metadata.name, namespace: metadata.namespace }, spec };
      return new kubernetes.apiextensions.CustomResource(name, rule, own);
    }

    /** @returns name of the Secret with its own authorities, where the gateway is; another text is another Secret */
    function createAuthorities(): pulumi.Output<string | undefined> {
      if (at.tls?.authorities === undefined) return pulumi.output(undefined);
      const secret = { metadata: { namespace: gatewayNamespace }, stringData: { cacert: at.tls.authorities } };
      return new kubernetes.core.v1.Secret(`url-${name}`, secret, own).metadata.name;
    }
  }
}
