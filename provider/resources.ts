/** The provider's resource types for the program. The inputs and outputs are documented in each type's own file. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { root } from "../lib/paths.ts";
import { sha256 } from "../lib/sha256.ts";
import type { InputsOf, OutputsOf, TypeName } from "./types.ts";

/** The same shape with outputs of other resources allowed everywhere in it. */
type Args<T> = { [K in keyof T]: DeepInput<T[K]> };
type DeepInput<T> = pulumi.Input<T extends readonly (infer E)[] ? DeepInput<E>[] : T extends object ? Args<T> : T>;

/** A resource has its inputs and its outputs. */
type Instance<Name extends TypeName> = pulumi.CustomResource & {
  readonly [K in keyof (InputsOf<Name> & OutputsOf<Name>)]-?: pulumi.Output<(InputsOf<Name> & OutputsOf<Name>)[K]>;
};

export type ArgsOf<Name extends TypeName> = Args<InputsOf<Name>>;

type ResourceClass<Name extends TypeName> = new (
  name: string,
  args: ArgsOf<Name>,
  opts?: pulumi.CustomResourceOptions,
) => Instance<Name>;

/** @param outputs outputs that are not inputs: Pulumi's SDK must know their names in advance */
function resource<Name extends TypeName>(
  type: Name,
  outputs: Record<Exclude<keyof OutputsOf<Name>, keyof InputsOf<Name>>, undefined>,
): ResourceClass<Name> {
  const made = class extends pulumi.CustomResource {
    constructor(name: string, args: ArgsOf<Name>, opts?: pulumi.CustomResourceOptions) {
      super(type, name, { ...args, ...outputs }, opts);
    }
  };
  return made as unknown as ResourceClass<Name>;
}

function unknown<Name extends string>(...names: Name[]): Record<Name, undefined> {
  return Object.fromEntries(names.map((name) => [name, undefined])) as Record<Name, undefined>;
}

/**
 * A local process that runs on after `pulumi up`: started when created, restarted when its command changes or it has
 * died (a plain `up` notices), stopped when deleted. Known by pid and start time, so that no other is ever signalled.
 */
export class Process extends resource("meshup:local:Process", unknown("pid", "startTime", "bootId", "clone", "log")) {}

/** Python packages from a locked requirements file, in a folder of their own; no virtual environment is needed. */
export class PythonPackages extends resource("meshup:local:PythonPackages", unknown("python", "path")) {
  /** @param args a change of the requirements file's text installs anew */
  constructor(
    name: string,
    args: Omit<ArgsOf<"meshup:local:PythonPackages">, "requirements" | "hash"> & { requirements: string },
    opts?: pulumi.CustomResourceOptions,
  ) {
    const text = readFileSync(resolve(root, args.requirements));
    super(name, { ...args, hash: sha256(text) }, opts);
  }
}

/** An Envoy executable: `ENVOY_PATH`, the one on PATH, or a download that stays in the cache after `destroy`. */
export class EnvoyBinary extends resource(
  "meshup:local:EnvoyBinary",
  unknown("path", "actualVersion", "source", "warnings"),
) {}

/** One of the project's own services as one file, named by its content. */
export class Bundle extends resource("meshup:local:Bundle", unknown("sha256", "file")) {}

/**
 * The configuration of a running Envoy: sent file by file without a restart, and complete when Envoy serves it. If
 * Envoy rejects a change, the change is undone, and the error has Envoy's own lines.
 */
export class EnvoyConfiguration extends resource("meshup:local:EnvoyConfiguration", {}) {}

/** A WebAssembly module, built from source where it has one, and named by its content. */
export class ModuleFile extends resource("meshup:index:Module", unknown("sha256", "file", "bytes")) {}

/** The folder that an image is built from, named by its content. */
export class ImageContext extends resource("meshup:index:ImageContext", unknown("directory", "sha256")) {}

/**
 * A module loaded in the host in Node with the very configuration that it will get. Fails with the reason; what
 * attaches the filter takes `sha256` and `file` from here and so never sees a module that did not pass.
 */
export class Preflight extends resource(
  "meshup:index:Preflight",
  unknown("adds", "varies", "answers", "notes", "warnings", "checked"),
) {}

/**
 * Decides what proves that a filter runs, and whether it would: the filter's request goes directly to the workload and
 * shows the response without the filter. The resource that attaches the filter uses `attached`, so that no filter is
 * attached whose effect nothing would prove.
 */
export class Evidence extends resource(
  "meshup:index:Evidence",
  unknown("expected", "attached", "problem", "baseline", "unaskable"),
) {}

/**
 * A request through the mesh whose response proves that a filter runs. If it does not, the error shows the response.
 */
export class Proof extends resource("meshup:index:Proof", unknown("status", "seen")) {}

/** The current and earlier secrets of the stack's configuration: no command prints them. */
export class Secrets extends resource("meshup:index:Secrets", unknown("known")) {}

/**
 * The stack's own kind cluster on this machine. `generation` names the cluster that runs, or the one to create. A plain
 * `up` notices if it is missing, stopped, or replaced.
 */
export class KindNode extends resource("meshup:kind:Node", unknown("generation", "environment")) {}

/**
 * An EnvoyExtensionPolicy in force: Envoy Gateway has accepted its current generation and every proxy runs its filters,
 * by digest. Fails with the condition and the log lines of control plane and proxy that say why not.
 */
export class PolicyReady extends resource(
  "meshup:kubernetes:PolicyReady",
  unknown("acceptedGeneration", "proxies", "warnings"),
) {}

/**
 * A filter in force: every Istio proxy that it is meant for runs exactly its code. Fails with the log lines of the
 * proxies that tell why not. If no pod matches, that is a warning.
 */
export class FilterReady extends resource("meshup:kubernetes:FilterReady", unknown("proxies", "warnings")) {}

/**
 * The pods of a Deployment, all of the current generation and ready. Fails with the messages of the containers that are
 * not ready, as soon as it is clear that they never will be.
 */
export class Rollout extends resource("meshup:kubernetes:Rollout", unknown("pods")) {}
