import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { messageOf, UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { Module, Preflight } from "../../provider/resources.ts";
import { resolveModule } from "../../toolchain/source.ts";
import { type Capabilities, callable, deliveryOf } from "../mesh/capabilities.ts";
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
  /** Response headers that prove that the filter runs: the declared ones, or what it added in the host. */
  readonly expect: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: FilterArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:index:Filter", name, {}, opts);
    const { declaration, module, capabilities, backends } = args;
    const clusters = callable(capabilities, backends);

    this.declaration = declaration;
    this.delivery = deliveryOf(declaration, capabilities);
    this.configuration = configurationText(declaration.config);
    const checked = module ? preflight(this, name, module, clusters) : readScript(declaration.script as string);
    this.digest = checked.digest;
    this.file = checked.file;
    this.expect = checked.found.apply((found) => expectation(declaration, found));
    this.registerOutputs({ digest: this.digest, expect: this.expect });
  }
}

/** What was found of a module in the host in Node. */
interface Found {
  /** Response headers that it added to a plain GET. */
  adds: Record<string, string>;
  /** False for a script, and where the check was switched off. */
  checked: boolean;
}

/** What is known of a filter's code once it may be attached. */
interface Checked {
  digest: pulumi.Output<string>;
  file: pulumi.Output<string>;
  found: pulumi.Output<Found>;
}

function preflight(filter: Filter, name: string, module: Module, clusters: string[]): Checked {
  const { root: rootId, failure } = filter.declaration;
  const { sha256, file } = module;
  const args = { filter: name, sha256, file, rootId, configuration: filter.configuration, failure, clusters };
  const result = new Preflight(name, args, { parent: filter });
  const found = pulumi.all([result.adds, result.checked]).apply(([adds, checked]) => ({ adds, checked }));
  return { digest: result.sha256, file: result.file, found };
}

/** Scripts go to the proxy as they are: there is no host for them here, so that nothing is known of what they add. */
function readScript(path: string): Checked {
  const file = resolve(root, path);
  const digest = createHash("sha256").update(readText(file, path)).digest("hex");
  return {
    digest: pulumi.output(digest),
    file: pulumi.output(file),
    found: pulumi.output<Found>({ adds: {}, checked: false }),
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
 * @throws UserError that names every module and script that is not there, with its key
 */
export async function createFilters(
  declarations: FilterDeclaration[],
  capabilities: Capabilities,
  backends: { name: string }[],
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
    return new Filter(declaration.name, { declaration, module, capabilities, backends });
  });
}

/** What proves that a filter runs: what is declared, else what it added to a plain response in the host. */
export function expectation({ name, expect }: FilterDeclaration, { adds, checked }: Found): Record<string, string> {
  if (expect !== undefined) return expect;
  if (checked && Object.keys(adds).length === 0)
    throw new UserError(
      `Filter "${name}" adds no response header in the host in Node, so that nothing would show that it runs: declare the headers that do (\`expect\` in meshup:filters), or \`expect: {}\` where a filter has none.`,
    );
  return adds;
}

/** An object is sent as JSON, a string as it is. */
export function configurationText(config: FilterDeclaration["config"]): string | undefined {
  return typeof config === "object" ? JSON.stringify(config) : config;
}

/** `./filters/my-filter` and its absolute path → `filters/my-filter`, as a resource is named. */
function moduleName(path: string): string {
  return relative(root, resolve(root, path)) || ".";
}
