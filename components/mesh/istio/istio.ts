import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { once } from "../../../lib/once.ts";
import { type Evidence, FilterReady } from "../../../provider/resources.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import { deliveredBy, type Filter } from "../../filter/filter.ts";
import { createPullSecret } from "../../registry/pull-secret.ts";
import { fixedAddress, namespace } from "../manifest.ts";
import type { FilterFields, Mesh, MeshArgs, Served, Sidecars } from "../mesh.ts";
import { publishModules } from "../publish.ts";
import { type Attachable, proveShown, type Shown, show } from "../shown.ts";
import { proofTimeoutMs, routeUrls } from "../targets.ts";
import { ApiGateway } from "./api-gateway.ts";
import { type Attached, Attachments, type Mounted } from "./attach.ts";
import { ControlPlane } from "./control-plane.ts";
import { entry, type Gateway } from "./gateway.ts";
import { HelmGateway } from "./helm-gateway.ts";
import { withModules } from "./module-volume.ts";
import { gatewayNamespace, name as kind } from "./names.ts";
import { placementOf as placeOf } from "./placement.ts";
import { withPodAnnotations } from "./proxy-settings.ts";
import type { IstioSettings } from "./schema.ts";
import { UrlBackend } from "./url-backend.ts";

/** Istio with sidecars and a gateway, and a WasmPlugin or an EnvoyFilter for each filter. */
export class IstioMesh extends pulumi.ComponentResource implements Mesh {
  readonly sidecars: Sidecars;
  readonly serve: (workloads: pulumi.Resource[]) => Served;

  constructor(name: string, args: MeshArgs<IstioSettings>, opts?: pulumi.ComponentResourceOptions) {
    const { config, filters, cluster, backends, routes } = args;
    if (!cluster) throw new Error("istio is installed into a cluster");
    super("meshup:mesh:Istio", name, {}, { ...opts, providers: { kubernetes: cluster.provider } });
    const parent = this;
    const { kubeconfig } = cluster;
    const { nodePort, url } = fixedAddress(kind, cluster.exposure);
    const { registry = cluster.registry } = args;
    const byFiles = deliveredBy(filters, "configmap", "volume");
    const byServer = deliveredBy(filters, "http");

    const showArgs = { url, routes, kubeconfig, otherwise: "fail" } as const;
    const placementOf = (target: FilterTarget) => placeOf(target, config.istio.gateway, { backends, routes });

    const controlPlane = new ControlPlane("istio", { config, backends }, { parent });
    const { ready } = controlPlane;
    const pullSecrets = createPullSecrets();
    const codeOf = publishModules({ config, filters, registry }, { parent });
    const attachments = new Attachments({ filters, controlPlane, placementOf, codeOf, pullSecrets }, { parent });
    // What new pods need goes before them: the EnvoyFilter of a mounted module, and a module's new address. So whether
    // anything would show these filters is found out without the workloads first.
    const gateOf = once(gate);
    const mounted = byFiles.map((filter) => attachments.mount(filter, gateOf(filter)));
    const fromFiles = mounted.map((one) => attachments.mounted(one));
    const byHttp = byServer.map((filter) => attachments.plugin(filter, gateOf(filter)));
    const beforePods = [...fromFiles, ...byHttp].flatMap(({ resources }) => resources);
    const urls = backends.flatMap(({ name, at }) => {
      if (at.type !== "url") return [];
      return new UrlBackend(name, { at, ready: [ready, controlPlane.gatewayNamespace] }, { parent }).resources;
    });
    const gateway = createGateway();

    this.sidecars = {
      dependsOn: [controlPlane.injection, controlPlane.callouts, ...beforePods],
      equip: (pod, deployment) => {
        const settled = withPodAnnotations(deployment, controlPlane.proxySettings);
        return withModules(
          settled,
          mounted.flatMap((one) => mountedInto(one, pod)),
        );
      },
    };
    this.serve = (workloads) => {
      const showing = once((filter: Filter) => showOn(filter, workloads));
      filters.forEach(showing);
      const others = [
        ...deliveredBy(filters, "image").map((filter) => attachments.plugin(filter, showing(filter).evidence)),
        ...deliveredBy(filters, "lua").map((filter) => attachments.lua(filter, showing(filter).evidence)),
      ];
      const attached = [...fromFiles, ...byHttp, ...others];
      const inForce = new Map(attached.map((one) => [one, awaitProxies(one, workloads)]));
      const entry = createEntry([...inForce].flatMap(([one, ready]) => (isInGateway(one.filter) ? [ready] : [])));
      const gatewayUrl = entry.urn.apply(() => url);
      return {
        gatewayUrl,
        routes: gatewayUrl.apply(() => routeUrls(url, routes)),
        filters: [...inForce].map(([one, ready]) => prove(one, showing(one.filter), [ready, entry])),
        proxies: { filters: Object.fromEntries(attached.map((one) => [one.filter.declaration.name, wantedOf(one)])) },
        logs: pulumi.output<Record<string, string>>({}),
      };
    };
    this.registerOutputs({});

    function gate(filter: Filter): Evidence {
      return show(filter, subjectOf(filter), { ...showArgs, asks: false }, { parent }).evidence;
    }

    /** Where there is a gate, that has the filter's own name. */
    function showOn(filter: Filter, workloads: pulumi.Resource[]): Shown<Attachable> {
      const isGated = [...byFiles, ...byServer].some((one) => one === filter);
      const name = isGated ? `${filter.declaration.name}-baseline` : undefined;
      return show(filter, subjectOf(filter), showArgs, { parent, dependsOn: workloads, name });
    }

    function subjectOf({ digest }: Filter): pulumi.Output<{ digest: string }> {
      return digest.apply((digest) => ({ digest }));
    }

    /** One in each namespace that has filters: Istio reads a Secret only from the WasmPlugin's own namespace. */
    function createPullSecrets(): Map<string, pulumi.Output<string> | undefined> {
      const args = (namespace: string) => ({ registry, namespace });
      const { gatewayNamespace: there } = controlPlane;
      const placed = filters.map(({ declaration }) => placementOf(declaration.target).namespace);
      const others = [...new Set(placed)].filter((other) => other !== namespace && other !== gatewayNamespace);
      return new Map([
        [namespace, createPullSecret("registry", args(namespace), { parent })],
        [
          gatewayNamespace,
          createPullSecret("registry-gateway", args(gatewayNamespace), { parent, dependsOn: [there] }),
        ],
        ...others.map((other) => [other, createPullSecret(`registry-${other}`, args(other), { parent })] as const),
      ]);
    }

    function mountedInto({ filter, volume }: Mounted, workload: string) {
      const { declaration } = filter;
      const own = "workload" in declaration.target && declaration.target.workload === workload;
      return own ? [{ volume, filter: declaration.name, by: filter.delivery }] : [];
    }

    function createGateway(): Gateway {
      const own = mounted.filter(({ filter }) => isInGateway(filter));
      const volumes = pulumi.all(own.map(({ volume }) => volume));
      return new gateways[config.istio.gateway](
        "gateway",
        { config, routes, controlPlane, volumes, before: beforePods },
        { parent },
      );
    }

    /** Changed last, when the new gateway answers and has its filters. Until then it leads to the old gateway. */
    function createEntry(inForce: FilterReady[]): kubernetes.core.v1.Service {
      const placement = placementOf({ gateway: true });
      const opts = { parent, dependsOn: [...gateway.resources, ...urls, ...inForce] };
      return new kubernetes.core.v1.Service("entry", entry(placement, nodePort), opts);
    }

    function isInGateway({ declaration: { target } }: Filter): boolean {
      return placementOf(target).proxies === "gateway";
    }

    /** What its proxies are asked for. */
    function wantedOf({ filter, envoyName, knownAs }: Attached) {
      const { namespace, selector } = placementOf(filter.declaration.target);
      return { namespace, selector, envoyName, digest: knownAs };
    }

    function awaitProxies(one: Attached, workloads: pulumi.Resource[]): FilterReady {
      const { filter, resources } = one;
      const { name, failure } = filter.declaration;
      const ready = new FilterReady(
        name,
        { kubeconfig, filter: name, ...wantedOf(one), failure, version: versionOf(resources) },
        { parent, dependsOn: [...resources, ...gateway.resources, ...workloads] },
      );
      ready.warnings.apply((warnings) => warnings.map((warning) => pulumi.log.warn(warning, ready)));
      return ready;
    }

    function prove(
      { resources, image }: Attached,
      shown: Shown<Attachable>,
      dependsOn: pulumi.Resource[],
    ): FilterFields {
      const cluster = { kubeconfig, mesh: kind };
      const args = { process: versionOf(resources), cluster, timeoutMs: proofTimeoutMs, image };
      return proveShown(shown, args, { parent, dependsOn });
    }
  }
}

/** Changes when a filter's code or settings change. */
function versionOf(resources: kubernetes.apiextensions.CustomResource[]): pulumi.Output<string> {
  const { metadata } = resources.at(-1) as kubernetes.apiextensions.CustomResource;
  return pulumi.interpolate`${metadata.uid}@${metadata.generation}`;
}

const gateways = { helm: HelmGateway, "gateway-api": ApiGateway };
