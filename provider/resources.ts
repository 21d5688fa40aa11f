/** The provider's resource types for the program. What each argument means stands in types.ts. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { root } from "../lib/paths.ts";
import type { Expectation } from "../proof/expectation.ts";
import type * as types from "./types.ts";

/** The same shape with outputs of other resources allowed everywhere in it. */
type Args<T> = { [K in keyof T]: DeepInput<T[K]> };
type DeepInput<T> = pulumi.Input<T extends readonly (infer E)[] ? DeepInput<E>[] : T extends object ? Args<T> : T>;

export type ProcessArgs = Args<types.ProcessInputs>;
export type PythonPackagesArgs = Args<Omit<types.PythonPackagesInputs, "requirements" | "hash">> & {
  /** A requirements file with a hash for every package; a change of its text installs anew. */
  requirements: string;
};
export type EnvoyBinaryArgs = Args<types.EnvoyBinaryInputs>;
export type EnvoyConfigurationArgs = Args<types.EnvoyConfigurationInputs>;
export type BundleArgs = Args<types.BundleInputs>;
export type ModuleArgs = Args<types.ModuleInputs>;
export type ImageContextArgs = Args<types.ImageContextInputs>;
export type PreflightArgs = Args<types.PreflightInputs>;
export type EvidenceArgs = Args<types.EvidenceInputs>;
export type ProofArgs = Args<types.ProofInputs>;
export type PolicyReadyArgs = Args<types.PolicyReadyInputs>;
export type RolloutArgs = Args<types.RolloutInputs>;
export type FilterReadyArgs = Args<types.FilterReadyInputs>;

/**
 * A local process that runs on after `pulumi up`: started when created, restarted when its command changes or it has
 * died (a plain `up` notices), stopped when deleted. Known by pid and start time, so that no other is ever signalled.
 */
export class Process extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly pid: pulumi.Output<number>;
  /** With `pid` the identity of the process: another value means that it was restarted. */
  declare readonly startTime: pulumi.Output<string>;
  declare readonly bootId: pulumi.Output<string>;
  /** Absolute path of the log. */
  declare readonly log: pulumi.Output<string>;

  constructor(name: string, args: ProcessArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:local:Process", name, { ...args, ...unknown("pid", "startTime", "bootId", "clone", "log") }, opts);
  }
}

/** Python packages from a locked requirements file, in a folder of their own; no virtual environment is needed. */
export class PythonPackages extends pulumi.CustomResource {
  /** Absolute path of the interpreter that they were installed for. */
  declare readonly python: pulumi.Output<string>;
  /** Absolute path of the folder, for PYTHONPATH. */
  declare readonly path: pulumi.Output<string>;

  constructor(name: string, args: PythonPackagesArgs, opts?: pulumi.CustomResourceOptions) {
    const hash = createHash("sha256")
      .update(readFileSync(resolve(root, args.requirements)))
      .digest("hex");
    super("meshup:local:PythonPackages", name, { ...args, hash, ...unknown("python", "path") }, opts);
  }
}

/** An Envoy executable: `ENVOY_PATH`, the one on PATH, or a download that stays in the cache after `destroy`. */
export class EnvoyBinary extends pulumi.CustomResource {
  /** Absolute path. */
  declare readonly path: pulumi.Output<string>;
  /** The lowest version that was asked for. */
  declare readonly version: pulumi.Output<string>;
  /** The version it has. */
  declare readonly actualVersion: pulumi.Output<string>;
  declare readonly source: pulumi.Output<types.EnvoyBinaryOutputs["source"]>;
  /** Why the `envoy` on PATH was passed over, where it was. */
  declare readonly warnings: pulumi.Output<string[]>;

  constructor(name: string, args: EnvoyBinaryArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = unknown("path", "actualVersion", "source", "warnings");
    super("meshup:local:EnvoyBinary", name, { ...args, ...outputs }, opts);
  }
}

/** One of the project's own services as one file, named by its content. */
export class Bundle extends pulumi.CustomResource {
  /** Hex. */
  declare readonly sha256: pulumi.Output<string>;
  /** Absolute path. */
  declare readonly file: pulumi.Output<string>;

  constructor(name: string, args: BundleArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:local:Bundle", name, { ...args, ...unknown("sha256", "file") }, opts);
  }
}

/**
 * The configuration of a running Envoy: handed over file by file without a restart, and complete when Envoy serves it.
 * What Envoy refuses is taken back, and the error has Envoy's own lines.
 */
export class EnvoyConfiguration extends pulumi.CustomResource {
  constructor(name: string, args: EnvoyConfigurationArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:local:EnvoyConfiguration", name, { ...args }, opts);
  }
}

/** A WebAssembly module, built from source where it has one, and named by its content. */
export class Module extends pulumi.CustomResource {
  /** Hex. */
  declare readonly sha256: pulumi.Output<string>;
  /** Absolute path. */
  declare readonly file: pulumi.Output<string>;
  declare readonly bytes: pulumi.Output<number>;

  constructor(name: string, args: ModuleArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:index:Module", name, { ...args, ...unknown("sha256", "file", "bytes") }, opts);
  }
}

/** The folder that an image is built from, named by its content. */
export class ImageContext extends pulumi.CustomResource {
  /** Absolute path. */
  declare readonly directory: pulumi.Output<string>;
  /** Of all that is in it, hex. */
  declare readonly sha256: pulumi.Output<string>;

  constructor(name: string, args: ImageContextArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:index:ImageContext", name, { ...args, ...unknown("directory", "sha256") }, opts);
  }
}

/**
 * A module loaded in the host in Node with the very configuration that it will get. Fails with the reason; what
 * attaches the filter takes `sha256` and `file` from here and so never sees a module that did not pass.
 */
export class Preflight extends pulumi.CustomResource {
  declare readonly sha256: pulumi.Output<string>;
  declare readonly file: pulumi.Output<string>;
  /** Response headers that the filter put on the response, or changed. */
  declare readonly adds: pulumi.Output<Record<string, string>>;
  /** Which of them have another value each time. */
  declare readonly varies: pulumi.Output<string[]>;
  /** The status that the filter has given the response. */
  declare readonly answers: pulumi.Output<number | undefined>;
  /** What else it does, in words. */
  declare readonly notes: pulumi.Output<string[]>;
  declare readonly warnings: pulumi.Output<string[]>;
  /** False when MESHUP_PREFLIGHT=off left the check out. */
  declare readonly checked: pulumi.Output<boolean>;

  constructor(name: string, args: PreflightArgs, opts?: pulumi.CustomResourceOptions) {
    super(
      "meshup:index:Preflight",
      name,
      { ...args, ...unknown("adds", "varies", "answers", "notes", "warnings", "checked") },
      opts,
    );
  }
}

/**
 * What is to show that a filter runs, and whether it would: the filter's request straight to the workload tells what is
 * there without it. What attaches the filter takes `attached` from here, and so never has one that nothing would show.
 */
export class Evidence extends pulumi.CustomResource {
  /** What the response has to be. */
  declare readonly expected: pulumi.Output<Expectation>;
  /** The subject; where nothing would show it, the one before, or null. */
  declare readonly attached: pulumi.Output<unknown>;
  /** Why nothing would show it. */
  declare readonly problem: pulumi.Output<string | undefined>;
  declare readonly baseline: pulumi.Output<types.Baseline | undefined>;

  constructor(name: string, args: EvidenceArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = unknown("expected", "attached", "problem", "baseline");
    super("meshup:index:Evidence", name, { ...args, ...outputs }, opts);
  }
}

/** A request through the mesh whose response shows that a filter runs. Fails with what came instead. */
export class Proof extends pulumi.CustomResource {
  declare readonly url: pulumi.Output<string>;
  declare readonly expect: pulumi.Output<Expectation>;
  /** Of the response that held. */
  declare readonly status: pulumi.Output<number>;
  /** The expected headers, as that response had them. */
  declare readonly seen: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: ProofArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:index:Proof", name, { ...args, ...unknown("status", "seen") }, opts);
  }
}

/**
 * An EnvoyExtensionPolicy in force: Envoy Gateway has accepted its current generation and every proxy runs its filters,
 * by digest. Fails with the condition and the log lines of control plane and proxy that say why not.
 */
export class PolicyReady extends pulumi.CustomResource {
  /** The policy's. */
  declare readonly uid: pulumi.Output<string>;
  declare readonly acceptedGeneration: pulumi.Output<number>;
  /** Names of the proxies' pods. */
  declare readonly proxies: pulumi.Output<string[]>;
  declare readonly warnings: pulumi.Output<string[]>;

  constructor(name: string, args: PolicyReadyArgs, opts?: pulumi.CustomResourceOptions) {
    const outputs = unknown("acceptedGeneration", "proxies", "warnings");
    super("meshup:kubernetes:PolicyReady", name, { ...args, ...outputs }, opts);
  }
}

/**
 * A filter in force: every proxy of Istio's that it is for runs its very code. Fails with the proxies' own log lines that
 * say why not; no pod for it is a warning.
 */
export class FilterReady extends pulumi.CustomResource {
  /** Names of the proxies' pods. */
  declare readonly proxies: pulumi.Output<string[]>;
  declare readonly warnings: pulumi.Output<string[]>;

  constructor(name: string, args: FilterReadyArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:kubernetes:FilterReady", name, { ...args, ...unknown("proxies", "warnings") }, opts);
  }
}

/**
 * The pods of a Deployment, all of them of its current generation and ready. Fails with what the containers say that are
 * not, as soon as it is clear that they never will be.
 */
export class Rollout extends pulumi.CustomResource {
  /** Names of the pods. */
  declare readonly pods: pulumi.Output<string[]>;

  constructor(name: string, args: RolloutArgs, opts?: pulumi.CustomResourceOptions) {
    super("meshup:kubernetes:Rollout", name, { ...args, ...unknown("pods") }, opts);
  }
}

/** Tells the SDK which outputs there are besides the inputs; each is known when the resource is. */
function unknown(...names: string[]): Record<string, undefined> {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}
