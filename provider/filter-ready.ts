/** `meshup:kubernetes:FilterReady`: every proxy of Istio's that a filter is for runs it. */
import { istio } from "../components/mesh/inspectors.ts";
import type { ResourceType } from "./resource.ts";
import type { FilterReadyInputs, FilterReadyOutputs } from "./types.ts";

export const filterReadyType: ResourceType<FilterReadyInputs, FilterReadyOutputs> = {
  inputs: {
    kubeconfig: "update",
    filter: "update",
    namespace: "update",
    selector: "update",
    envoyName: "update",
    digest: "update",
    failure: "update",
    version: "update",
    timeoutMs: "ignore",
  },
  reveals: ["warnings"],
  id: ({ filter }) => filter,
  create: async (inputs, { signal }) => (await istio()).waitForProxies(inputs, signal),
  update: async (_olds, news, { signal }) => (await istio()).waitForProxies(news, signal),
  // A proxy that was started while the registry was down goes on without the module, and nothing else would tell.
  hasDrifted: async (olds, news) => (await istio()).hasChanged(news, olds.warnings).catch(() => true),
};
