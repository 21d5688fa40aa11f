/** `meshup:kubernetes:PolicyReady`: Envoy Gateway has accepted a policy, and its proxies run the filters that it names. */
import { envoyGateway } from "../components/mesh/inspectors.ts";
import type { ResourceType } from "./resource.ts";
import type { PolicyReadyInputs, PolicyReadyOutputs } from "./types.ts";

/**
 * No `hasDrifted`: the Kubernetes library alone would take an `up` with nothing to do half a second longer. `npm run
 * verify` looks.
 */
export const policyReadyType: ResourceType<PolicyReadyInputs, PolicyReadyOutputs> = {
  inputs: {
    kubeconfig: "update",
    // Of another policy there is nothing to delete: a replacement would only hold up what depends on this.
    namespace: "update",
    name: "update",
    gateway: "update",
    uid: "update",
    generation: "update",
    filters: "update",
    timeoutMs: "ignore",
  },
  reveals: ["warnings"],
  id: ({ gateway }) => `${gateway.namespace}/${gateway.name}`,
  create: async (inputs, { signal }) => (await envoyGateway()).waitForPolicy(inputs, signal),
  update: async (_olds, news, { signal }) => (await envoyGateway()).waitForPolicy(news, signal),
};
