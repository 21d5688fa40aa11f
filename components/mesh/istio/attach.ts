/** What becomes of a filter in the cluster: a WasmPlugin or an EnvoyFilter, and a ConfigMap where pods mount its module. */
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Evidence } from "../../../provider/resources.ts";
import type { FilterTarget } from "../../filter/declared.ts";
import type { Filter, ModuleFilter, ScriptFilter } from "../../filter/filter.ts";
import type { Kind, Manifest } from "../manifest.ts";
import { moduleData } from "../module-data.ts";
import type { PublishedModule } from "../publish.ts";
import type { ControlPlane } from "./control-plane.ts";
import { luaFilter, moduleFilter, scopeFilter, scopeName } from "./envoy-filter.ts";
import { type ModuleVolume, type MountedBy, moduleLabel, modulePath, volumeName } from "./module-volume.ts";
import { envoyFilterKind, wasmPluginKind } from "./names.ts";
import type { Placement } from "./placement.ts";
import { settingsOf } from "./schema.ts";
import { envoyFilterName, wasmPlugin } from "./wasm-plugin.ts";

/** A filter's resources, and how its proxies show that they run it. */
export interface Attached {
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
export interface Mounted {
  filter: ModuleFilter & { delivery: MountedBy };
  volume: pulumi.Output<ModuleVolume>;
}

export interface AttachmentsArgs {
  /** All of the mesh's, as they are declared: of those in the same proxies, the first is asked first. */
  filters: Filter[];
  controlPlane: Pick<ControlPlane, "ready" | "gatewayNamespace">;
  placementOf(target: FilterTarget): Placement;
  /** Where a module is that the mesh fetches. */
  codeOf(filter: ModuleFilter): pulumi.Output<PublishedModule>;
  /** By namespace, the secret that images are pulled with. */
  pullSecrets: Map<string, pulumi.Output<string> | undefined>;
}

/** Makes filters' resources, each once something is known to show the filter: its evidence. */
export class Attachments {
  readonly #args: AttachmentsArgs;
  readonly #parent: pulumi.Resource;

  constructor(args: AttachmentsArgs, { parent }: { parent: pulumi.Resource }) {
    this.#args = args;
    this.#parent = parent;
  }

  /** A changed module gets a ConfigMap of its own. Pods that run with the old one keep that. */
  mount(filter: Mounted["filter"], evidence: Evidence): Mounted {
    const { name, target } = filter.declaration;
    const { controlPlane, placementOf } = this.#args;
    const { namespace } = placementOf(target);
    const data = pulumi
      .all([filter.module.file, filter.digest])
      .apply(([file, digest]) => moduleData(name, { file, digest }));
    const map = new kubernetes.core.v1.ConfigMap(
      volumeName(name),
      { metadata: { namespace }, immutable: true, binaryData: data },
      { parent: this.#parent, dependsOn: [controlPlane.gatewayNamespace, evidence] },
    );
    const volume = pulumi
      .all([map.metadata.name, filter.digest])
      .apply(([configMap, digest]): ModuleVolume => ({ filter: name, configMap, digest }));
    return { filter, volume };
  }

  /** An EnvoyFilter that names the file that the pods have mounted. */
  mounted({ filter, volume }: Mounted): Attached {
    const { name, failure, target } = filter.declaration;
    const { rootId, digest } = filter;
    const configuration = filter.configuration?.text;
    const placement = this.#args.placementOf(target);
    const manifest = volume.apply((volume) => {
      const file = modulePath(volume);
      const wasm = { name, rootId, failure, configuration, digest: volume.digest, file };
      return moduleFilter({ ...wasm, placement, priority: this.#orderOf(filter) }, moduleLabel(volume));
    });
    // Pods that still have the old module need the old EnvoyFilter: it goes only when the new one is there.
    const made = this.#create(name, envoyFilterKind, manifest, { replaceOnChanges: ["spec.workloadSelector"] });
    return { filter, resources: [made], envoyName: name, knownAs: digest };
  }

  /** A WasmPlugin; in a gateway also an EnvoyFilter, which switches it on where it is for. */
  plugin(filter: ModuleFilter, evidence: Evidence): Attached {
    const { name, failure, target } = filter.declaration;
    const { rootId, configuration, digest } = filter;
    const { codeOf, placementOf, pullSecrets } = this.#args;
    const placement = placementOf(target);
    const { namespace, proxies } = placement;
    const envoyName = envoyFilterName({ name, namespace });
    const scope = () => {
      const manifest = scopeFilter({ name, envoyName, placement });
      return this.#create(scopeName(name), envoyFilterKind, manifest, { dependsOn: [evidence] });
    };
    const scopes = proxies === "gateway" ? [scope()] : [];
    const order = this.#orderOf(filter);
    const istio = { ...(order > 0 && { priority: -order }), ...settingsOf(filter.declaration) };
    const published = codeOf(filter);
    const manifest = pulumi.all([published, pullSecrets.get(namespace)]).apply(([code, pullSecret]) => {
      const own = code.type === "image" ? { ...code, pullSecret } : code;
      return wasmPlugin({ name, placement, code: own, rootId, configuration, failure, istio });
    });
    const made = this.#create(name, wasmPluginKind, manifest, { dependsOn: [evidence, ...scopes] });
    return {
      filter,
      resources: [...scopes, made],
      envoyName,
      // Of an image the proxies know the manifest's digest.
      knownAs: pulumi
        .all([published, digest])
        .apply(([code, sha256]) => (code.type === "image" ? code.digest.replace(/^sha256:/, "") : sha256)),
      image: published.apply((code) => (code.type === "image" ? code.reference : undefined)),
    };
  }

  /** An EnvoyFilter that has the script as text. */
  lua(filter: ScriptFilter, evidence: Evidence): Attached {
    const { name, target } = filter.declaration;
    const placement = this.#args.placementOf(target);
    const manifest = luaFilter({ name, placement, script: filter.script.text, priority: this.#orderOf(filter) });
    const made = this.#create(name, envoyFilterKind, manifest, { dependsOn: [evidence] });
    return { filter, resources: [made], envoyName: name, knownAs: filter.digest };
  }

  /** Its place among the filters of the same proxies, in declared order. Istio's default is the time of creation. */
  #orderOf(filter: Filter): number {
    const { filters, placementOf } = this.#args;
    const of = ({ declaration }: Filter) => JSON.stringify(placementOf(declaration.target).selector);
    return filters.filter((other) => of(other) === of(filter)).indexOf(filter);
  }

  /** Makes a resource. Its kind is known at once; the rest of the manifest may be known only later. */
  #create(
    name: string,
    kind: Kind,
    manifest: pulumi.Input<Manifest>,
    { dependsOn = [], replaceOnChanges }: { dependsOn?: pulumi.Resource[]; replaceOnChanges?: string[] } = {},
  ) {
    const { metadata, spec } = pulumi.output(manifest);
    const { ready, gatewayNamespace } = this.#args.controlPlane;
    return new kubernetes.apiextensions.CustomResource(
      name,
      { ...kind, metadata: { name: metadata.name, namespace: metadata.namespace }, spec },
      { parent: this.#parent, dependsOn: [ready, gatewayNamespace, ...dependsOn], replaceOnChanges },
    );
  }
}
