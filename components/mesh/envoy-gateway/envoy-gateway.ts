import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { once } from "../../../lib/once.ts";
import { type ArgsOf, PolicyReady, Proof } from "../../../provider/resources.ts";
import { chartReference, imageReference } from "../../config/overrides.ts";
import type { Filter, ModuleFilter } from "../../filter/filter.ts";
import { createPullSecret } from "../../registry/pull-secret.ts";
import type { Backend, UrlAddress } from "../../workloads/backend.ts";
import { httpRoute, httpRouteKind, needGrants, referenceGrant } from "../http-route.ts";
import { fixedAddress, type Kind, type NamedManifest, namespace } from "../manifest.ts";
import type { Mesh, MeshArgs, Served } from "../mesh.ts";
import { modulesOf, oncePerModule, type PublishedModule, publishModules } from "../publish.ts";
import { proveShown, type Shown, show } from "../shown.ts";
import { proofTimeoutMs, routeUrls } from "../targets.ts";
import {
  extensionPolicy,
  type PolicyFilter,
  type PolicyPlan,
  type PublishedScript,
  planPolicies,
  preload,
} from "./extension-policy.ts";

import { envoyProxy, gateway, gatewayClass } from "./manifests.ts";
import { controllerNamespace, gatewayName, name as kind, policyKind } from "./names.ts";
import { urlRef } from "./url.ts";
import { UrlBackend } from "./url-backend.ts";

import { helmValues } from "./values.ts";

const version = "v1.9.1";
const envoyImage = "docker.io/envoyproxy/envoy";

/** A filter as a policy has it, and what its proxies know its code by. */
interface Subject extends PolicyFilter {
  digest: string;
}

/** Envoy Gateway, one Gateway with the stack's routes, and an EnvoyExtensionPolicy for each target of its filters. */
export class EnvoyGatewayMesh extends pulumi.ComponentResource implements Mesh {
  readonly serve: (workloads: pulumi.Resource[]) => Served;

  constructor(name: string, args: MeshArgs, opts?: pulumi.ComponentResourceOptions) {
    const { config, filters, cluster, backends, routes: served } = args;
    if (!cluster) throw new Error("envoy-gateway is installed into a cluster");
    super("meshup:mesh:EnvoyGateway", name, {}, { ...opts, providers: { kubernetes: cluster.provider } });
    const parent = this;
    const { exposure, kubeconfig } = cluster;
    const { registry = cluster.registry } = args;
    const url = fixedAddress(kind, exposure).url;
    const proxiesOf = { kubeconfig, mesh: kind };
    const plans = planPolicies(
      served,
      filters.map((filter) => ({ filter, name: filter.declaration.name, target: filter.declaration.target })),
    );

    const urls = backends.flatMap(({ name, at }) => (at.type === "url" ? [{ name, at }] : []));

    const release = installEnvoyGateway();
    const entry = createGateway();
    const reachable = [...needGrants(served).map(grant), ...urls.flatMap(createUrl)];
    const routes = createRoutes();
    const codeOf = publish();
    const loaded = preloadModules();
    this.serve = (workloads) => {
      const showing = once((filter: Filter) => showFilter(filter, workloads));
      const shown = filters.map(showing);
      const policies = plans.map((plan) => attach(plan, showing));
      const gatewayUrl = entry.id.apply(() => url);
      return {
        gatewayUrl,
        routes: gatewayUrl.apply(() => routeUrls(url, served)),
        filters: shown.map((one) => prove(one, policies)),
        proxies: {},
        logs: pulumi.output<Record<string, string>>({}),
      };
    };
    this.registerOutputs({});

    /** By Release: Chart drops the chart's hooks, and with them the certificates that Wasm is served with. */
    function installEnvoyGateway(): kubernetes.helm.v3.Release {
      const standard = { chart: "oci://docker.io/envoyproxy/gateway-helm", version };
      return new kubernetes.helm.v3.Release(
        kind,
        {
          name: kind,
          namespace: controllerNamespace,
          createNamespace: true,
          ...chartReference(config, "gateway-helm", standard),
          values: helmValues(imageReference(config, `docker.io/envoyproxy/gateway:${version}`), urls.length > 0),
        },
        { parent },
      );
    }

    function createGateway(): kubernetes.apiextensions.CustomResource {
      const image = imageReference(config, envoyImage);
      const overridden = image === envoyImage ? undefined : image;
      const proxy = createOf(envoyProxy({ image: overridden, exposure, backends, config }), [release]);
      const kind = createOf(gatewayClass(), [proxy]);
      return createOf(gateway(), [kind], { annotations: { "pulumi.com/waitFor": "condition=Programmed" } });
    }

    function createRoutes() {
      const args = { gateway: { name: gatewayName }, urlRef };
      return served.map((route) => createOf(httpRoute(route, args), [entry, ...reachable]));
    }

    function grant(backend: Backend) {
      const made = { ...referenceGrant(backend) };
      return new kubernetes.apiextensions.CustomResource(backend.name, made, { parent, dependsOn: [release] });
    }

    function createUrl({ name, at }: { name: string; at: UrlAddress }): pulumi.Resource[] {
      const routes = served.filter(({ backend }) => backend.name === name).map((route) => route.name);
      return new UrlBackend(name, { at, routes, ready: [release] }, { parent }).resources;
    }

    /** Where the proxies can get each filter's code. */
    function publish(): (filter: Filter) => pulumi.Output<PublishedModule | PublishedScript> {
      // In the namespace of the policies: Envoy Gateway accepts no Secret of another namespace.
      const pullSecret = createPullSecret("registry", { registry, namespace }, { parent });
      const args = { config, filters, registry, pullSecret };
      const moduleOf = publishModules(args, { parent });
      return once((filter) => {
        if (filter.delivery !== "lua") return moduleOf(filter);
        return pulumi.output({ type: "lua" as const, script: filter.script.text });
      });
    }

    /** See `preload`. Policies that name a module wait until the proxies have loaded it. */
    function preloadModules(): Proof[] {
      // Of filters with the same module, one with `failure: close` goes first: its failures are easier to see.
      const strict = (f: ModuleFilter) => Number(f.declaration.failure === "open");
      const modules = modulesOf(filters).sort((a, b) => strict(a) - strict(b));
      return oncePerModule(modules, (f) => f.delivery).map((filter) => {
        const how = filter.delivery;
        const { slug } = filter.module;
        const module = `${how}-${slug}`;
        const made = pulumi
          .all([policyFilter(filter), filter.digest])
          .apply(([one, digest]) => preload(one, { module: slug, digest }));
        // The old one is deleted first: if it does not start, the new one would wait for it. Loaded modules stay loaded.
        const deleteBeforeReplace = true;
        const route = create(module, { ...httpRouteKind, ...parts(made.route) }, [entry], { deleteBeforeReplace });
        const policy = create(module, { ...policyKind, ...parts(made.policy) }, [route], { deleteBeforeReplace });
        const { digest } = filter;
        const loaded = ready(module, policy, [{ name: made.name, digest, failure: filter.declaration.failure }]);
        const process = pulumi.interpolate`${loaded.uid}@${loaded.acceptedGeneration}`;
        return new Proof(
          module,
          {
            filter: modulesOf(filters)
              .filter((f) => f.module.name === filter.module.name)
              .map((f) => f.declaration.name)
              .join(", "),
            url: `${url}/`,
            headers: { host: made.host },
            expect: {},
            digest,
            process,
            cluster: proxiesOf,
            timeoutMs: 5000,
          },
          { parent, dependsOn: [loaded] },
        );
      });
    }

    /** A filter that nothing would show stays as it was. Other filters of its policy are changed all the same. */
    function showFilter(filter: Filter, workloads: pulumi.Resource[]): Shown<Subject> {
      const subject = pulumi.all([policyFilter(filter), filter.digest]).apply(([own, digest]) => ({ ...own, digest }));
      const alone = !plans.some((plan) => plan.filters.length > 1 && plan.filters.some((one) => one.filter === filter));
      const args = { url, routes: served, kubeconfig, otherwise: alone ? ("fail" as const) : ("keep" as const) };
      return show(filter, subject, args, { parent, dependsOn: workloads });
    }

    function attach(plan: Plan, showing: (filter: Filter) => Shown<Subject>): Policy {
      const own = pulumi
        .all(plan.filters.map(({ filter }) => showing(filter).attached))
        .apply((all) => all.filter((one) => one !== null));
      const { spec } = own.apply((all) => extensionPolicy({ ...plan, filters: all.map(({ digest: _, ...f }) => f) }));
      // The name is known from the start. If it were known only later, Pulumi would replace the policy.
      const metadata = { name: plan.name, namespace };
      const policy = create(plan.name, { ...policyKind, metadata, spec }, [...routes, ...loaded]);
      const awaited = own.apply((all) =>
        (plan.inUse ? all : []).map(({ name, digest, failure, code }) => {
          // If Envoy Gateway refuses a script, its routes fail. If the script itself fails later, requests pass.
          return { name, digest, failure: code.type === "lua" ? ("close" as const) : failure };
        }),
      );
      return { plan, ready: ready(plan.name, policy, awaited) };
    }

    function ready(
      name: string,
      policy: kubernetes.apiextensions.CustomResource,
      filters: ArgsOf<"meshup:kubernetes:PolicyReady">["filters"],
    ): PolicyReady {
      const { uid, generation } = policy.metadata;
      const gateway = { namespace, name: gatewayName };
      return new PolicyReady(
        name,
        { kubeconfig, namespace, name: policy.metadata.name, gateway, uid, generation, filters },
        { parent, dependsOn: [policy] },
      );
    }

    function prove(shown: Shown<Subject>, policies: Policy[]): ReturnType<typeof proveShown> {
      const { filter } = shown;
      const on = policies.filter(({ plan }) => plan.filters.some((one) => one.filter === filter));
      const generations = on.map(({ ready }) => pulumi.interpolate`${ready.uid}@${ready.acceptedGeneration}`);
      const process = pulumi.all(generations).apply((all) => all.join(" "));
      const image = codeOf(filter).apply((code) => (code.type === "image" ? code.reference : undefined));
      const dependsOn = on.map(({ ready }) => ready);
      return proveShown(
        shown,
        { process, cluster: proxiesOf, timeoutMs: proofTimeoutMs, image },
        { parent, dependsOn },
      );
    }

    /** What of a filter goes into a policy. */
    function policyFilter(filter: Filter): pulumi.Output<PolicyFilter> {
      const { name, failure } = filter.declaration;
      const { rootId } = filter;
      const configuration = filter.configuration?.text;
      return codeOf(filter).apply((code) => ({ name, rootId, configuration, failure, code }));
    }

    function createOf(manifest: NamedManifest, dependsOn: pulumi.Resource[], more?: CreateOptions) {
      return create(manifest.metadata.name, manifest, dependsOn, more);
    }

    /** Makes a resource. Its kind is known at once; the rest of the manifest may be known only later. */
    function create(
      name: string,
      { apiVersion, kind, metadata, spec }: ManifestInputs,
      dependsOn: pulumi.Resource[],
      { annotations, deleteBeforeReplace }: CreateOptions = {},
    ): kubernetes.apiextensions.CustomResource {
      const args = { apiVersion, kind, metadata: { ...metadata, annotations }, spec };
      return new kubernetes.apiextensions.CustomResource(name, args, { parent, dependsOn, deleteBeforeReplace });
    }
  }
}

type Plan = PolicyPlan<{ filter: Filter }>;

interface Policy {
  plan: Plan;
  ready: PolicyReady;
}

/** A manifest. Its kind is known at once; the rest may be known only later. */
interface ManifestInputs extends Kind {
  metadata: { name: pulumi.Input<string>; namespace?: pulumi.Input<string | undefined> };
  spec: pulumi.Input<Record<string, unknown>>;
}

function parts(manifest: pulumi.Output<NamedManifest>): Pick<ManifestInputs, "metadata" | "spec"> {
  const { metadata, spec } = manifest;
  return { metadata: { name: metadata.name, namespace: metadata.namespace }, spec };
}

interface CreateOptions {
  annotations?: Record<string, string>;
  deleteBeforeReplace?: boolean;
}
