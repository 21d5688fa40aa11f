/** `meshup:index:Preflight`: a module loaded in the host in Node before a proxy gets it. */
import { resolve } from "node:path";
import { root } from "../lib/paths.ts";
import type { ResourceType } from "./resource.ts";
import type { PreflightInputs, PreflightOutputs } from "./types.ts";

const isOff = (env: NodeJS.ProcessEnv) => env.MESHUP_PREFLIGHT === "off";

export const preflightType: ResourceType<PreflightInputs, PreflightOutputs> = {
  inputs: {
    filter: "update",
    sha256: "update",
    file: "update",
    rootId: "update",
    configuration: "update",
    failure: "update",
    clusters: "update",
    request: "update",
  },
  reveals: ["adds", "warnings", "notes"],
  id: ({ filter }) => filter,
  create: (inputs, { env }) => check(inputs, env),
  update: (_olds, news, { env }) => check(news, env),
  // What an `up` with the check switched off let through is checked by the next one.
  hasDrifted: async ({ checked }, _news, { env }) => !checked && !isOff(env),
};

async function check(inputs: PreflightInputs, env: NodeJS.ProcessEnv): Promise<PreflightOutputs> {
  const { filter, sha256, file, rootId, configuration, clusters, request } = inputs;
  if (isOff(env)) {
    const warning = `filter "${filter}" was not checked before it was deployed: MESHUP_PREFLIGHT=off`;
    return { sha256, file, adds: {}, varies: [], notes: [], warnings: [warning], checked: false };
  }
  const { preflight } = await import("../host/preflight/preflight.ts");
  const wasm = resolve(root, file);
  const subject = { name: filter, wasm, rootId, configuration, clusters, request };
  const { adds, varies = [], status, notes = [], warnings } = await preflight(subject);
  return { sha256, file, adds, varies, answers: status ?? 0, notes, warnings, checked: true };
}
