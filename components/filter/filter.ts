import * as pulumi from "@pulumi/pulumi";
import type { Found } from "../../proof/evidence.ts";
import { type ProofRequest, proofRequest, sentHeaders } from "../../proof/request.ts";
import { type ArgsOf, Preflight } from "../../provider/resources.ts";
import type { CredentialsFor } from "../../toolchain/reference.ts";
import { type Capabilities, callable, moduleDelivery } from "../mesh/capabilities.ts";
import { requestFor } from "../mesh/targets.ts";
import type { BackendRoute } from "../workloads/backend.ts";
import { findCode, type Module, type Script } from "./code.ts";
import { type Configuration, configurationOf } from "./configuration.ts";
import type { Delivery, FilterDeclaration, ModuleDelivery } from "./declared.ts";

/** A declared filter that may be attached: `delivery` tells the two apart. */
export type Filter = ModuleFilter | ScriptFilter;

interface FilterArgs {
  /** The filter as the stack's configuration declares it. */
  declaration: FilterDeclaration;
}

export interface ModuleFilterArgs extends FilterArgs {
  /** The built module, shared by the filters that use it. */
  module: Module;
  /** What the mesh that it is for can do. */
  capabilities: Capabilities;
  /** What it can call. */
  backends: { name: string }[];
  /** On which of them it works, its target tells. */
  routes: BackendRoute[];
}

export interface ScriptFilterArgs extends FilterArgs {
  script: Script;
}

/** What filters of both kinds have in common. */
abstract class DeclaredFilter extends pulumi.ComponentResource {
  readonly declaration: FilterDeclaration;
  /** The root id that a module registers. */
  readonly rootId: string;
  /** The plugin configuration. */
  readonly configuration: Configuration | undefined;
  /** The request that is to show it. */
  readonly request: ProofRequest;
  /** The sha256 of the module or script, hex. */
  abstract readonly digest: pulumi.Output<string>;
  /** What it was seen to do in the host; none for a script, and where the check was switched off. */
  abstract readonly found: pulumi.Output<Found | undefined>;

  constructor(name: string, { declaration }: FilterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:index:Filter", name, {}, opts);
    this.declaration = declaration;
    this.rootId = declaration.root;
    this.configuration = configurationOf(declaration.config);
    this.request = proofRequest(declaration.request || {});
  }
}

/**
 * A filter whose module has been loaded in the host in Node, with the very configuration that it will get. What fails
 * there never reaches a proxy: everything that attaches the filter waits for its `module`.
 */
export class ModuleFilter extends DeclaredFilter {
  /** How its module comes to the proxy. */
  readonly delivery: ModuleDelivery;
  /** As it has passed the check. */
  readonly module: Module;
  readonly digest: pulumi.Output<string>;
  readonly found: pulumi.Output<Found | undefined>;

  constructor(name: string, args: ModuleFilterArgs, opts?: pulumi.ComponentResourceOptions) {
    super(name, args, opts);
    const { declaration, module, capabilities, backends, routes } = args;

    this.delivery = moduleDelivery(declaration, capabilities);
    const checked = new Preflight(
      name,
      {
        filter: name,
        sha256: module.digest,
        file: module.file,
        rootId: this.rootId,
        configuration: this.configuration?.text,
        clusters: callable(capabilities, backends),
        request: this.#asItIsSeen(capabilities, routes),
      },
      { parent: this },
    );
    this.module = { ...module, file: checked.file, digest: checked.sha256 };
    this.digest = checked.sha256;
    this.found = foundBy(checked);
    this.registerOutputs({ digest: this.digest });
  }

  /** Its request, as its proxy has it. */
  #asItIsSeen(
    { afterRewrite = [] }: Capabilities,
    routes: BackendRoute[],
  ): ArgsOf<"meshup:index:Preflight">["request"] {
    const { target } = this.declaration;
    const on = requestFor(target, "", routes, this.request);
    const { method, body } = this.request;
    const { host, ...headers } = sentHeaders(on?.headers ?? this.request.headers);
    const isRewritten = afterRewrite.some((kind) => kind in target);
    const path = (isRewritten ? on?.straight.path : on?.url) ?? "/";
    return { method, path, authority: host ?? "localhost", headers, ...(body !== undefined && { body }) };
  }
}

/** A Lua script. It goes to the proxy as it is: there is no host for it here, and nothing is known of what it does. */
export class ScriptFilter extends DeclaredFilter {
  readonly delivery: Exclude<Delivery, ModuleDelivery> = "lua";
  readonly script: Script;
  readonly digest: pulumi.Output<string>;
  readonly found: pulumi.Output<Found | undefined>;

  constructor(name: string, args: ScriptFilterArgs, opts?: pulumi.ComponentResourceOptions) {
    super(name, args, opts);
    this.script = args.script;
    this.digest = pulumi.output(args.script.digest);
    this.found = pulumi.output<Found | undefined>(undefined);
    this.registerOutputs({ digest: this.digest });
  }
}

function foundBy({ checked, adds, varies, answers, notes }: Preflight): pulumi.Output<Found | undefined> {
  return pulumi
    .all([checked, adds, varies, answers, notes])
    .apply(([checked, adds, varies, status, notes]): Found | undefined =>
      checked ? { adds, varies, ...(status && { status }), notes } : undefined,
    );
}

export interface FiltersArgs extends Pick<ModuleFilterArgs, "capabilities" | "backends" | "routes"> {
  /** With what registries are read that modules come from. */
  credentialsFor: CredentialsFor;
}

/**
 * All declared filters, each made of its module or script.
 * @throws UserError that names every module and script that is not there, with its key
 */
export async function createFilters(
  declarations: FilterDeclaration[],
  { credentialsFor, ...mesh }: FiltersArgs,
): Promise<Filter[]> {
  const coded = await findCode(declarations, credentialsFor);
  return coded.map((one) => {
    const { name } = one.declaration;
    return "script" in one ? new ScriptFilter(name, one) : new ModuleFilter(name, { ...one, ...mesh });
  });
}

/** Those of the filters whose code comes in one of these ways. */
export function deliveredBy<Way extends Delivery>(filters: Filter[], ...ways: Way[]): (Filter & { delivery: Way })[] {
  return filters.filter((filter): filter is Filter & { delivery: Way } => ways.some((way) => way === filter.delivery));
}
