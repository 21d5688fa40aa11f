import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { once } from "../../../lib/once.ts";
import { type Evidence, FilterReady } from "../../../provider/resources.ts";

import type { FilterTarget } from "../../filter/declared.ts";
import { deliveredBy, type Filter, type ModuleFilter, type ScriptFilter } from "../../filter/filter.ts";
import { createPullSecret } from "../../registry/pull-secret.ts";
import { fixedAddress, type Kind, type Manifest, namespace } from "../manifest.ts";
import type { FilterFields, Mesh, MeshArgs, Served, Sidecars } from "../mesh.ts";
import { moduleData } from "../module-data.ts";
import { publishModules } from "../publish.ts";
import { type Attachable, proveShown, type Shown, show } from "../shown.ts";
import { proofTimeoutMs, routeUrls } from "../targets.ts";
import { ApiGateway } from "./api-gateway.ts";
import { ControlPlane } from "./control-plane.ts";
import { luaFilter, moduleFilter, scopeFilter, scopeName } from "./envoy-filter.ts";
import { entry, type Gateway } from "./gateway.ts";
import { HelmGateway } from "./helm-gateway.ts";
import {
  type ModuleVolume,
  type MountedBy,
  moduleLabel,
  modulePath,
  volumeName,
  withModules,
} from "./module-volume.ts";
import { envoyFilterKind, gatewayNamespace, name as kind, wasmPluginKind } from "./names.ts";
import { placementOf as placeOf } from "./placement.ts";
import { withPodAnnotations } from "./proxy-settings.ts";

import { type IstioSettings, settingsOf } from "./schema.ts";
import { UrlBackend } from "./url-backend.ts";

import { envoyFilterName, wasmPlugin } from "./wasm-plugin.ts";

/** A filter's resources, and how its proxies show that they run it. */
interface Attached {
  filter: Filter;
  /** The last is the one that has the filter's code. */
  resources: kubernetes.apiextensions.CustomResource[];
  /** The Envoy filter's name in the proxies. */
  envoyName: string;
  /** The sha256 (hex) that the proxies know the code by. */
  knownAs: pulumi.Output<string>;
  image?: pulumi.Output<string | undefined>;
}

/** A filter whose module lies in a ConfigMap, for pods to have it mounted. */
interface Mounted {
  filter: ModuleFilter & { delivery: MountedBy };
  volume: pulumi.Output<ModuleVolume>;
}

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
    // What new pods need goes before them: the EnvoyFilter of a mounted module, and a module's new address. So whether
    // anything would show these filters is found out without the workloads first.
    const gateOf = once(gate);
    const mounted = byFiles.map(mount);
    const fromFiles = mounted.map(attachMounted);
    const byHttp = byServer.map((filter) => attachPlugin(filter, gateOf(filter)));
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
        ...deliveredBy(filters, "image").map((filter) => attachPlugin(filter, showing(filter).evidence)),
        ...deliveredBy(filters, "lua").map((filter) => attachLua(filter, showing(filter).evidence)),
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

    /** Wherever there are filters: Istio takes a secret of the WasmPlugin's own namespace. */
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

    /** A changed module is another ConfigMap, and the pods that have the old one keep it. */
    function mount(filter: Mounted["filter"]): Mounted {
      const { name, target } = filter.declaration;
      const { namespace } = placementOf(target);
      const data = pulumi
        .all([filter.module.file, filter.digest])
        .apply(([file, digest]) => moduleData(name, { file, digest }));
      const map = new kubernetes.core.v1.ConfigMap(
        volumeName(name),
        {
          metadata: { namespace },
          immutable: true,
          binaryData: data,
        },
        { parent, dependsOn: [controlPlane.gatewayNamespace, gateOf(filter)] },
      );
      const volume = pulumi
        .all([map.metadata.name, filter.digest])
        .apply(([configMap, digest]): ModuleVolume => ({ filter: name, configMap, digest }));
      return { filter, volume };
    }

    function attachMounted({ filter, volume }: Mounted): Attached {
      const { name, failure, target } = filter.declaration;
      const { rootId, digest } = filter;
      const configuration = filter.configuration?.text;
      const placement = placementOf(target);
      const manifest = volume.apply((volume) => {
        const file = modulePath(volume);
        const wasm = { name, rootId, failure, configuration, digest: volume.digest, file };
        return moduleFilter({ ...wasm, placement, priority: orderOf(filter) }, moduleLabel(volume));
      });
      // The one before goes on for the pods that have its module.
      const made = create(name, envoyFilterKind, manifest, { replaceOnChanges: ["spec.workloadSelector"] });
      return { filter, resources: [made], envoyName: name, knownAs: digest };
    }

    function attachPlugin(filter: ModuleFilter, evidence: Evidence): Attached {
      const { name, failure, target } = filter.declaration;
      const { rootId, configuration, digest } = filter;
      const placement = placementOf(target);
      const { namespace, proxies } = placement;
      const envoyName = envoyFilterName({ name, namespace });
      const scope =
        proxies === "gateway"
          ? [
              create(scopeName(name), envoyFilterKind, scopeFilter({ name, envoyName, placement }), {
                dependsOn: [evidence],
              }),
            ]
          : [];
      const order = orderOf(filter);
      const istio = { ...(order > 0 && { priority: -order }), ...settingsOf(filter.declaration) };
      const published = codeOf(filter);
      const manifest = pulumi.all([published, pullSecrets.get(namespace)]).apply(([code, pullSecret]) => {
        const own = code.type === "image" ? { ...code, pullSecret } : code;
        return wasmPlugin({ name, placement, code: own, rootId, configuration, failure, istio });
      });
      return {
        filter,
        resources: [...scope, create(name, wasmPluginKind, manifest, { dependsOn: [evidence, ...scope] })],
        envoyName,
        // Of an image the proxies know the manifest's digest.
        knownAs: pulumi
          .all([published, digest])
          .apply(([code, sha256]) => (code.type === "image" ? code.digest.replace(/^sha256:/, "") : sha256)),
        image: published.apply((code) => (code.type === "image" ? code.reference : undefined)),
      };
    }

    function attachLua(filter: ScriptFilter, evidence: Evidence): Attached {
      const { name, target } = filter.declaration;
      const script = filter.script.text;
      const manifest = luaFilter({ name, placement: placementOf(target), script, priority: orderOf(filter) });
      const made = create(name, envoyFilterKind, manifest, { dependsOn: [evidence] });
      return { filter, resources: [made], envoyName: name, knownAs: filter.digest };
    }

    /** Its place among the filters of the same proxies, as they are declared: Istio would go by the time they were made. */
    function orderOf(filter: Filter): number {
      const of = ({ declaration }: Filter) => JSON.stringify(placementOf(declaration.target).selector);
      return filters.filter((other) => of(other) === of(filter)).indexOf(filter);
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

    /** Not before the gateway can answer, and has its filters: until then it leads to the one before. */
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

    /** A resource whose kind is known now, and the rest perhaps later. */
    function create(
      name: string,
      kind: Kind,
      manifest: pulumi.Input<Manifest>,
      { dependsOn = [], replaceOnChanges }: { dependsOn?: pulumi.Resource[]; replaceOnChanges?: string[] } = {},
    ) {
      const { metadata, spec } = pulumi.output(manifest);
      return new kubernetes.apiextensions.CustomResource(
        name,
        { ...kind, metadata: { name: metadata.name, namespace: metadata.namespace }, spec },
        { parent, dependsOn: [ready, controlPlane.gatewayNamespace, ...dependsOn], replaceOnChanges },
      );
    }
  }
}

/** Another one when a filter's code or settings are others. */
function versionOf(resources: kubernetes.apiextensions.CustomResource[]): pulumi.Output<string> {
  const { metadata } = resources.at(-1) as kubernetes.apiextensions.CustomResource;
  return pulumi.interpolate`${metadata.uid}@${metadata.generation}`;
}

const gateways = { helm: HelmGateway, "gateway-api": ApiGateway };
