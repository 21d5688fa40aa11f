/** `meshup:kubernetes:PolicyReady`: Envoy Gateway has accepted a policy, and its proxies run the filters that it names. */
import { type AwaitedPolicy, envoyGateway, type PolicyInForce } from "../components/mesh/inspectors.ts";
import type { ResourceType } from "./resource.ts";

export interface PolicyReadyInputs extends AwaitedPolicy {
  /** The policy's uid and generation: another value means that it was made anew, or changed. */
  uid: string;
  generation: number;
}

export const policyReadyType: ResourceType<PolicyReadyInputs, PolicyInForce> = {
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
  // Envoy Gateway forgets its modules when it is restarted. Where it cannot pull one again, it does not try a second time.
  hasDrifted: async (_olds, news) => (await envoyGateway()).isOut(news).catch(() => true),
};
