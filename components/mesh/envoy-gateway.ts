import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { root } from "../../lib/paths.ts";
import { PolicyReady, Proof } from "../../provider/resources.ts";
import { delivery } from "../config.ts";
import type { Filter } from "../filter.ts";
import { chartReference, imageReference } from "../overrides.ts";
import { filterImage } from "../registry/image.ts";
import type { PushedImage } from "../registry/registry.ts";
import { helmValues } from "./envoy-gateway-values.ts";
import {
  type Code,
  extensionPolicy,
  type PolicyFilter,
  type PolicyPlan,
  planPolicies,
  preload,
  worksOn,
} from "./extension-policy.ts";
import {
  controllerNamespace,
  envoyProxy,
  gateway,
  gatewayAddress,
  gatewayClass,
  gatewayName,
  httpRoute,
  httpRouteKind,
  type Kind,
  type Manifest,
  namespace,
  policyKind,
} from "./gateway-api.ts";
import type { AttachedFilter, Mesh, MeshArgs } from "./mesh.ts";
import { ModuleServer } from "./module-server.ts";

const version = "v1.9.1";
const envoyImage = "docker.io/envoyproxy/envoy";

/** A filter whose code is where the proxy can get it. */
interface Published {
  filter: Filter;
  code: pulumi.Output<Code>;
}

/** Envoy Gateway, one Gateway with the stack's routes, and an EnvoyExtensionPolicy for each target of its filters. */
export class EnvoyGatewayMesh extends pulumi.ComponentResource implements Mesh {
  readonly gatewayUrl: pulumi.Output<string>;
  readonly routes: pulumi.Output<Record<string, string>>;
  readonly filters: pulumi.Output<AttachedFilter[]>;
  readonly logs: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: MeshArgs, opts?: pulumi.ComponentResourceOptions) {
    const { config, filters, cluster, workloads = [] } = args;
    if (!cluster) throw new Error("envoy-gateway is installed into a cluster");
    super("meshup:mesh:EnvoyGateway", name, {}, { ...opts, providers: { kubernetes: cluster.provider } });
    const parent = this;
    const { exposure } = cluster;
    const { registry = cluster.registry } = args;
    const url = gatewayAddress(exposure);
    const proxiesOf = { kubeconfig: cluster.kubeconfig, mesh: config.mesh };
    const plans = planPolicies(
      config.routes,
      filters.map((filter) => ({ filter, name: filter.declaration.name, target: filter.declaration.target })),
    );

    const release = installEnvoyGateway();
    const entry = createGateway();
    const routes = createRoutes();
    const published = publishModules();
    const loaded = preloadModules();
    const policies = plans.map(attach);
    const proofs = filters.map(prove);

    this.gatewayUrl = entry.id.apply(() => url);
    this.routes = this.gatewayUrl.apply(() => Object.fromEntries(config.routes.map((r) => [r.name, url + r.path])));
    this.filters = pulumi.all(proofs);
    this.logs = pulumi.output<Record<string, string>>({});
    this.registerOutputs({ gatewayUrl: this.gatewayUrl });

    /** By Release: Chart drops the chart's hooks, and with them the certificates that Wasm is served with. */
    function installEnvoyGateway(): kubernetes.helm.v3.Release {
      const standard = { chart: "oci://docker.io/envoyproxy/gateway-helm", version };
      return new kubernetes.helm.v3.Release(
        "envoy-gateway",
        {
          name: "envoy-gateway",
          namespace: controllerNamespace,
          createNamespace: true,
          ...chartReference(config, "gateway-helm", standard),
          values: helmValues(imageReference(config, `docker.io/envoyproxy/gateway:${version}`)),
        },
        { parent },
      );
    }

    function createGateway(): kubernetes.apiextensions.CustomResource {
      const image = imageReference(config, envoyImage);
      const overridden = image === envoyImage ? undefined : image;
      const proxy = createOf(envoyProxy({ image: overridden, exposure, config }), [release]);
      const kind = createOf(gatewayClass(), [proxy]);
      return createOf(gateway(), [kind], { annotations: { "pulumi.com/waitFor": "condition=Programmed" } });
    }

    function createRoutes() {
      return config.routes.map((route) => createOf(httpRoute(route), [entry]));
    }

    /** An image for each module, however many filters use it; a module by HTTP is served in the cluster. */
    function publishModules(): Map<Filter, Published> {
      const pullSecret = filters.some((f) => delivery(f.declaration, config.mesh) === "image")
        ? createPullSecret()
        : undefined;
      const images = new Map<string, PushedImage>();
      const image = ({ declaration, file, digest }: Filter): PushedImage => {
        const module = imageName(declaration.module as string);
        const pushed = images.get(module) ?? filterImage(registry, module, { file, digest }, { parent });
        images.set(module, pushed);
        return pushed;
      };
      const served = filters.filter((f) => delivery(f.declaration, config.mesh) === "http");
      const modules = oncePerModule(served);
      const server = modules.length > 0 ? new ModuleServer({ config, namespace, modules }, { parent }) : undefined;

      const codeOf = (filter: Filter): pulumi.Output<Code> => {
        const { digest, file } = filter;
        const how = delivery(filter.declaration, config.mesh);
        if (how === "lua") return file.apply((path): Code => ({ type: "lua", script: readFileSync(path, "utf8") }));
        if (how === "http" && server) return pulumi.output({ type: "http", url: server.url(digest), sha256: digest });
        const { reference, digest: manifest } = image(filter);
        return pulumi.output({ type: "image", reference, digest: manifest, pullSecret });
      };
      return new Map(filters.map((filter) => [filter, { filter, code: codeOf(filter) }]));
    }

    /** In the policies' namespace: the control plane refuses another one's. */
    function createPullSecret(): pulumi.Output<string> | undefined {
      if (!registry.pullCredentials) return undefined;
      const { registry: host, username, password } = registry.pullCredentials;
      const auths = { [host]: { username, password } };
      const secret = new kubernetes.core.v1.Secret(
        "registry",
        {
          metadata: { namespace },
          type: "kubernetes.io/dockerconfigjson",
          stringData: { ".dockerconfigjson": pulumi.secret(pulumi.jsonStringify({ auths })) },
        },
        { parent },
      );
      return secret.metadata.name;
    }

    /** See `preload`. What names a policy's digest waits until the proxies have it. */
    function preloadModules(): Proof[] {
      // A filter that lets nothing pass without it shows most of its module.
      const strict = (f: Filter) => Number(f.declaration.failure === "open");
      const modules = filters.filter((f) => f.declaration.script === undefined).sort((a, b) => strict(a) - strict(b));
      return oncePerModule(modules, (f) => delivery(f.declaration, config.mesh)).map((filter) => {
        const how = delivery(filter.declaration, config.mesh);
        const image = imageName(filter.declaration.module as string);
        const module = `${how}-${image}`;
        const made = pulumi
          .all([policyFilter(published.get(filter) as Published), filter.digest])
          .apply(([one, digest]) => preload(one, { module: image, digest }));
        // One that does not start would hold the next one up: it goes first. What was loaded stays loaded.
        const deleteBeforeReplace = true;
        const route = create(module, httpRouteKind, made.route, [entry], { deleteBeforeReplace });
        const policy = create(module, policyKind, made.policy, [route], { deleteBeforeReplace });
        const { digest } = filter;
        const loaded = ready(module, policy, [{ name: made.name, digest, failure: filter.declaration.failure }]);
        const process = pulumi.interpolate`${loaded.uid}@${loaded.acceptedGeneration}`;
        return new Proof(
          module,
          {
            filter: filters
              .filter((f) => f.declaration.module === filter.declaration.module)
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

    function attach(plan: PolicyPlan<{ filter: Filter }>): { plan: typeof plan; ready: PolicyReady } {
      const own = plan.filters.map(({ filter }) => policyFilter(published.get(filter) as Published));
      const manifest = pulumi.all(own).apply((all) => extensionPolicy({ ...plan, filters: all }));
      const policy = create(plan.name, policyKind, manifest, [...routes, ...loaded]);
      const inUse = plan.inUse ? plan.filters : [];
      const awaited = inUse.map(({ filter: { declaration, digest } }) => {
        // A script that Envoy Gateway refuses fails its routes; one that fails later lets requests pass.
        const failure = declaration.script === undefined ? declaration.failure : "close";
        return { name: declaration.name, digest, failure };
      });
      return { plan, ready: ready(plan.name, policy, awaited) };
    }

    function ready(
      name: string,
      policy: kubernetes.apiextensions.CustomResource,
      filters: { name: pulumi.Input<string>; digest: pulumi.Input<string>; failure: "open" | "close" | "reload" }[],
    ): PolicyReady {
      const { kubeconfig } = cluster as NonNullable<typeof cluster>;
      const { uid, generation } = policy.metadata;
      const gateway = { namespace, name: gatewayName };
      return new PolicyReady(
        name,
        { kubeconfig, namespace, name: policy.metadata.name, gateway, uid, generation, filters },
        { parent, dependsOn: [policy] },
      );
    }

    function prove(filter: Filter): pulumi.Output<AttachedFilter> {
      const { name, target } = filter.declaration;
      const route = config.routes.find((r) => worksOn(target, r));
      const headers: Record<string, string> = route?.host === undefined ? {} : { host: route.host };
      const on = policies.filter(({ plan }) => plan.filters.some((one) => one.filter === filter));
      const generations = on.map(({ ready }) => pulumi.interpolate`${ready.uid}@${ready.acceptedGeneration}`);
      const proof = new Proof(
        name,
        {
          filter: name,
          url: `${url}${route?.path ?? "/"}`,
          headers,
          expect: filter.expect,
          digest: filter.digest,
          process: pulumi.all(generations).apply((all) => all.join(" ")),
          cluster: proxiesOf,
        },
        { parent, dependsOn: [...on.map(({ ready }) => ready), ...workloads] },
      );
      return pulumi.output({
        name,
        digest: filter.digest,
        delivery: delivery(filter.declaration, config.mesh),
        image: (published.get(filter) as Published).code.apply((code) =>
          code.type === "image" ? code.reference : undefined,
        ),
        url: proof.url,
        headers,
        expect: filter.expect,
      });
    }

    function createOf(manifest: Manifest, dependsOn: pulumi.Resource[], more?: CreateOptions) {
      return create(manifest.metadata.name, manifest, manifest, dependsOn, more);
    }

    /** A resource whose kind is known now, and the rest perhaps later. */
    function create(
      name: string,
      { apiVersion, kind }: Kind,
      manifest: pulumi.Input<Manifest>,
      dependsOn: pulumi.Resource[],
      { annotations, deleteBeforeReplace }: CreateOptions = {},
    ): kubernetes.apiextensions.CustomResource {
      const { metadata, spec } = pulumi.output(manifest);
      return new kubernetes.apiextensions.CustomResource(
        name,
        { apiVersion, kind, metadata: { name: metadata.name, namespace: metadata.namespace, annotations }, spec },
        { parent, dependsOn, deleteBeforeReplace },
      );
    }
  }
}

interface CreateOptions {
  annotations?: Record<string, string>;
  deleteBeforeReplace?: boolean;
}

/** What of a published filter goes into a policy. */
function policyFilter({ filter, code }: Published): pulumi.Output<PolicyFilter> {
  const { name, root: rootId, failure } = filter.declaration;
  const { configuration } = filter;
  return code.apply((code) => ({ name, rootId, configuration, failure, code }));
}

/** The first filter of each module (and of each other thing that tells them apart). */
function oncePerModule(filters: Filter[], key: (filter: Filter) => string = () => ""): Filter[] {
  const first = new Map<string, Filter>();
  for (const filter of filters) {
    const id = `${key(filter)} ${filter.declaration.module}`;
    if (!first.has(id)) first.set(id, filter);
  }
  return [...first.values()];
}

/** `./filters/my_filter.wasm`, or its absolute path → `filters-my-filter`, as images are named. */
function imageName(module: string): string {
  const plain = relative(root, resolve(root, module))
    .toLowerCase()
    .replace(/\.wasm$/, "")
    .replace(/[^a-z0-9]+/g, "-");
  return plain.replace(/^-+|-+$/g, "") || "filter";
}
