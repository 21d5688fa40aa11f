/** `meshup:kubernetes:FilterReady`: every Istio proxy that a filter is meant for runs it. */
import { type AwaitedFilter, type AwaitedProxies, istio } from "../components/mesh/inspectors.ts";
import type { ResourceType } from "./resource.ts";

export interface FilterReadyInputs extends AwaitedFilter {
  /**
   * `uid@generation` of the resource that attaches the filter. Another value means that it was created again, or
   * changed.
   */
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
  // A proxy that starts while the registry is down runs without the module. Nothing else reports this.
  hasDrifted: async (olds, news) => (await istio()).hasChanged(news, olds.warnings).catch(() => true),
};
