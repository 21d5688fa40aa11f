/** A stack's mesh, as its outputs tell of it. */
import type { Inspector, RunningMesh } from "../../components/mesh/inspector.ts";
import { inspector } from "../../components/mesh/inspectors.ts";
import type { KubeApi } from "../../kube/api.ts";
import type { Outputs } from "../stack/outputs.ts";
import { filterOutputs } from "./proof.ts";

export interface StackMesh {
  inspector: Inspector;
  running: RunningMesh;
}

/**
 * @param opened for a mesh in a cluster that was looked at already: its API, where it answers. Default: by the output
 * `kubeconfig`
 * @returns undefined for a stack that is not up
 */
export async function meshOf({ known, shown }: Outputs, opened?: { api?: KubeApi }): Promise<StackMesh | undefined> {
  const { mesh, proxies, kubeconfig } = shown;
  if (typeof mesh !== "string") return undefined;
  const { api } = opened ?? { api: typeof kubeconfig === "string" ? await openApi(kubeconfig) : undefined };
  return { inspector: await inspector(mesh), running: { api, filters: filterOutputs(known, shown), proxies } };
}

async function openApi(kubeconfig: string): Promise<KubeApi> {
  return (await import("../../kube/api.ts")).KubeApi.open(kubeconfig);
}
