/** `meshup:index:Preflight`: loads a module in the host in Node before a proxy gets it. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { messageOf, UserError } from "../lib/errors.ts";
import { root } from "../lib/paths.ts";
import { sha256 } from "../lib/sha256.ts";
import type { ResourceType } from "./resource.ts";

export interface PreflightInputs {
  /** The filter's name, for messages. */
  filter: string;
  /** The module's sha256, hex. */
  sha256: string;
  /** The module's path. */
  file: string;
  rootId: string;
  /** The plugin configuration as the module reads it; none if missing. */
  configuration?: string;
  /** Clusters that the proxy knows, for the filter's calls: exact names or `/regex/`. Default: any. */
  clusters?: string[];
  /** The test request, as the proxy gets it; a plain GET if missing. */
  request?: { method: string; path: string; authority: string; headers: Record<string, string>; body?: string };
}

export interface PreflightOutputs {
  /**
   * Same as the input, but known only after the check has passed. The resource that attaches the filter uses this
   * value.
   */
  sha256: string;
  /** Same as the input, but known only after the check has passed. */
  file: string;
  /** Response headers that the filter adds or changes when the workload answers 200. */
  adds: Record<string, string>;
  /** Names of the added headers whose value differs each time. */
  varies: string[];
  /** The response's status, if the filter changes it or answers by itself. */
  answers?: number;
  /** Other effects of the filter, in words. */
  notes: string[];
  warnings: string[];
  /** False if the check was skipped (MESHUP_PREFLIGHT=off). */
  checked: boolean;
}

const isOff = (env: NodeJS.ProcessEnv) => env.MESHUP_PREFLIGHT === "off";

export const preflightType: ResourceType<PreflightInputs, PreflightOutputs> = {
  inputs: {
    filter: "update",
    sha256: "update",
    file: "update",
    rootId: "update",
    configuration: "update",
    clusters: "update",
    request: "update",
  },
  reveals: ["adds", "warnings", "notes"],
  id: ({ filter }) => filter,
  create: (inputs, { env }) => check(inputs, env),
  update: (_olds, news, { env }) => check(news, env),
  // An `up` that runs with the check switched off leaves the check to the next `up`.
  hasDrifted: async ({ checked }, _news, { env }) => !checked && !isOff(env),
};

async function check(inputs: PreflightInputs, env: NodeJS.ProcessEnv): Promise<PreflightOutputs> {
  const { filter, sha256, file, rootId, configuration, clusters, request } = inputs;
  if (isOff(env)) {
    const warning = `filter "${filter}" was not checked before it was deployed: MESHUP_PREFLIGHT=off`;
    return { sha256, file, adds: {}, varies: [], notes: [], warnings: [warning], checked: false };
  }
  const { preflight } = await import("../host/preflight/preflight.ts");
  const wasm = await readModule(inputs);
  const subject = { name: filter, wasm, rootId, configuration, clusters, request };
  const { adds, varies = [], status, notes = [], warnings } = await preflight(subject);
  return { sha256, file, adds, varies, answers: status ?? 0, notes, warnings, checked: true };
}

/** The very module that the proxy will know by its digest. */
async function readModule({ filter, file, sha256: built }: PreflightInputs): Promise<Uint8Array> {
  const bytes = await readFile(resolve(root, file)).catch((error) => {
    throw new UserError(`filter "${filter}": cannot read the module: ${messageOf(error)}`);
  });
  const seen = sha256(bytes);
  if (seen === built) return bytes;
  throw new UserError(
    `filter "${filter}": ${file} is no longer the module that was built (sha256 ${seen}): remove it, and run the command again`,
  );
}
