/** `meshup:kubernetes:FilterReady`: every proxy of Istio's that a filter is for runs it. */
import { type AwaitedFilter, type AwaitedProxies, istio } from "../components/mesh/inspectors.ts";
import type { ResourceType } from "./resource.ts";

export interface FilterReadyInputs extends AwaitedFilter {
  /** Of the resource that attaches it (`uid@generation`): another value means that it was made anew, or changed. */
  version: string;
}

export const filterReadyType: ResourceType<FilterReadyInputs, AwaitedProxies> = {
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
