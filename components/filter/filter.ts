import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { messageOf, UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import type { Found } from "../../proof/evidence.ts";
import { type ProofRequest, proofRequest, sentHeaders } from "../../proof/request.ts";
import { type ArgsOf, Module, Preflight } from "../../provider/resources.ts";
import { resolveModule } from "../../toolchain/source.ts";
import { type Capabilities, callable, deliveryOf } from "../mesh/capabilities.ts";
import { requestFor } from "../mesh/targets.ts";
import type { BackendRoute } from "../workloads/backend.ts";
import type { Delivery, FilterDeclaration } from "./declared.ts";

export interface FilterArgs {
  /** The filter as the stack's configuration declares it. */
  declaration: FilterDeclaration;
  /** The built module, shared by the filters that use it; none for a script. */
  module?: Module;
  /** What the mesh that it is for can do. */
  capabilities: Capabilities;
  /** What it can call. */
  backends: { name: string }[];
  /** On which of them it works, its target tells. */
  routes: BackendRoute[];
}

/**
 * A declared filter whose module has been loaded in the host in Node, with the very configuration that it will get.
 * What fails there never reaches a proxy: everything that attaches the filter waits for `digest`.
 */
export class Filter extends pulumi.ComponentResource {
  readonly declaration: FilterDeclaration;
  /** How its code comes to the proxy. */
  readonly delivery: Delivery;
  /** The plugin configuration as the module reads it. */
  readonly configuration: string | undefined;
  /** The sha256 of the module or script, hex. */
  readonly digest: pulumi.Output<string>;
  /** Absolute path of the module or script. */
  readonly file: pulumi.Output<string>;
  /** What it was seen to do in the host; none for a script, and where the check was switched off. */
  readonly found: pulumi.Output<Found | undefined>;
  /** The request that is to show it. */
  readonly request: ProofRequest;

  constructor(name: string, args: FilterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:index:Filter", name, {}, opts);
    const { declaration, module, capabilities, backends, routes } = args;

    this.declaration = declaration;
    this.delivery = deliveryOf(declaration, capabilities);
    this.configuration = configurationText(declaration.config);
    this.request = proofRequest(declaration.request || {});
    const how = { clusters: callable(capabilities, backends), request: this.#asItIsSeen(capabilities, routes) };
    const checked = module ? preflight(this, name, module, how) : readScript(declaration.script as string);
    this.digest = checked.digest;
    this.file = checked.file;
    this.found = checked.found;
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

/** What is known of a filter's code once it may be attached. */
interface Checked {
  digest: pulumi.Output<string>;
  file: pulumi.Output<string>;
  found: pulumi.Output<Found | undefined>;
}

function preflight(
  filter: Filter,
  name: string,
  module: Module,
  how: Pick<ArgsOf<"meshup:index:Preflight">, "clusters" | "request">,
): Checked {
  const { root: rootId, failure } = filter.declaration;
  const { sha256, file } = module;
  const args = { filter: name, sha256, file, rootId, configuration: filter.configuration, failure, ...how };
  const result = new Preflight(name, args, { parent: filter });
  const found = pulumi
    .all([result.checked, result.adds, result.varies, result.answers, result.notes])
    .apply(([checked, adds, varies, status, notes]): Found | undefined =>
      checked ? { adds, varies, ...(status && { status }), notes } : undefined,
    );
  return { digest: result.sha256, file: result.file, found };
}

/** Scripts go to the proxy as they are: there is no host for them here, so that nothing is known of what they add. */
function readScript(path: string): Checked {
  const file = resolve(root, path);
  const digest = createHash("sha256").update(readText(file, path)).digest("hex");
  return {
    digest: pulumi.output(digest),
    file: pulumi.output(file),
    found: pulumi.output<Found | undefined>(undefined),
  };
}

function readText(file: string, path: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`the script ${path} cannot be read: ${messageOf(error)}`);
  }
}

/**
 * All declared filters, each module built once however many filters use it.
 * @param capabilities of the mesh that they are for
 * @param backends what they can call
 * @param routes on which they work, each on those of its target
 * @throws UserError that names every module and script that is not there, with its key
 */
export async function createFilters(
  declarations: FilterDeclaration[],
  capabilities: Capabilities,
  backends: { name: string }[],
  routes: BackendRoute[],
): Promise<Filter[]> {
  const modules = new Map<string, Module>();
  const problems: string[] = [];
  for (const [i, { module: path }] of declarations.entries()) {
    if (path === undefined || modules.has(moduleName(path))) continue;
    try {
      const { sourceHash } = await resolveModule(path);
      modules.set(moduleName(path), new Module(moduleName(path), { path, sourceHash }));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(`meshup:filters[${i}].module: ${error.message}`);
    }
  }
  for (const [i, { script }] of declarations.entries())
    if (script !== undefined && !existsSync(resolve(root, script)))
      problems.push(`meshup:filters[${i}].script: ${script}: there is no such file`);
  if (problems.length > 0) throw new UserError(problems.join("\n"));
  return declarations.map((declaration) => {
    const module = declaration.module === undefined ? undefined : modules.get(moduleName(declaration.module));
    return new Filter(declaration.name, { declaration, module, capabilities, backends, routes });
  });
}

/** An object is sent as JSON, a string as it is. */
export function configurationText(config: FilterDeclaration["config"]): string | undefined {
  return typeof config === "object" ? JSON.stringify(config) : config;
}

/** `./filters/my-filter` and its absolute path → `filters/my-filter`, as a resource is named. */
function moduleName(path: string): string {
  return relative(root, resolve(root, path)) || ".";
}
