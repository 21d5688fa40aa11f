import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { chartReference, imageReference } from "../../config/overrides.ts";
import type { Backend } from "../../workloads/backend.ts";
import { namespace } from "../manifest.ts";
import type { MeshSettings } from "../mesh.ts";
import { callouts } from "./envoy-filter.ts";
import { gatewayNamespace, rootNamespace } from "./names.ts";
import { proxySettings } from "./proxy-settings.ts";
import { istiodValues } from "./values.ts";

export const version = "1.31.1";
const repository = "https://istio-release.storage.googleapis.com/charts";

export interface ControlPlaneArgs {
  config: MeshSettings;
  /** What filters can call. */
  backends: Backend[];
}

/** istiod, injecting sidecars into the workloads' namespace, and the clusters that every proxy knows. */
export class ControlPlane extends pulumi.ComponentResource {
  /** Annotations of every pod with a proxy. */
  readonly proxySettings: Record<string, string>;
  /** What a pod needs before it is made, so that it gets its sidecar. */
  readonly injection: pulumi.Resource;
  /** Where the gateway's resources go. */
  readonly gatewayNamespace: pulumi.Resource;
  /** istiod takes Istio's own resources. */
  readonly ready: pulumi.Resource;
  /** A resource whose change makes istiod tell proxies everything about their filters anew. */
  readonly callouts: kubernetes.apiextensions.CustomResource;

  constructor(name: string, { config, backends }: ControlPlaneArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:istio:ControlPlane", name, {}, opts);
    const parent = this;

    const values = istiodValues({
      config,
      pilotImage: overridden(config, `registry.istio.io/release/pilot:${version}`),
      proxyImage: overridden(config, `registry.istio.io/release/proxyv2:${version}`),
    });
    this.proxySettings = proxySettings(values);
    const base = installChart(
      "istio-base",
      { config, chart: "base", namespace: rootNamespace, values: {} },
      { parent },
    );
    const istiod = installIstiod();
    this.ready = istiod;
    this.injection = enableInjection();
    this.gatewayNamespace = createGatewayNamespace();
    this.callouts = createCallouts();
    this.registerOutputs({});

    function installIstiod(): kubernetes.helm.v3.Release {
      const args = { config, chart: "istiod", namespace: rootNamespace, values };
      return installChart("istiod", args, { parent, dependsOn: [base] });
    }

    function enableInjection(): kubernetes.core.v1.NamespacePatch {
      return new kubernetes.core.v1.NamespacePatch(
        "injection",
        { metadata: { name: namespace, labels: { "istio-injection": "enabled" } } },
        { parent, dependsOn: [istiod] },
      );
    }

    /** Of its own, and not the chart's: what the gateway's pods need is there before them. */
    function createGatewayNamespace(): kubernetes.core.v1.Namespace {
      return new kubernetes.core.v1.Namespace("gateway", { metadata: { name: gatewayNamespace } }, { parent });
    }

    function createCallouts(): kubernetes.apiextensions.CustomResource {
      return new kubernetes.apiextensions.CustomResource("callouts", callouts(backends), {
        parent,
        dependsOn: [istiod],
      });
    }
  }
}

export interface ChartArgs {
  config: Pick<MeshSettings, "charts">;
  /** In Istio's repository. */
  chart: string;
  namespace: string;
  values: pulumi.Input<Record<string, unknown>>;
}

/** A chart of Istio's, or what the stack's configuration has in its place. */
export function installChart(
  name: string,
  { config, chart, namespace, values }: ChartArgs,
  opts: pulumi.CustomResourceOptions,
): kubernetes.helm.v3.Release {
  const standard = { chart, version, repositoryOpts: { repo: repository } };
  const from = chartReference(config, chart, standard);
  return new kubernetes.helm.v3.Release(name, { name, namespace, createNamespace: true, ...from, values }, opts);
}

/** The image that the configuration has in an image's place; undefined leaves the chart its own. */
function overridden(config: Pick<MeshSettings, "images">, image: string): string | undefined {
  const reference = imageReference(config, image);
  return reference === image ? undefined : reference;
}
