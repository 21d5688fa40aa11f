/** `meshup:kubernetes:PolicyReady`: Envoy Gateway has accepted a policy, and its proxies run the filters that it names. */
import { type AwaitedPolicy, envoyGateway, type PolicyInForce } from "../components/mesh/inspectors.ts";
import type { ResourceType } from "./resource.ts";

export interface PolicyReadyInputs extends AwaitedPolicy {
  /** The policy's uid and generation. Another value means that it was created again, or changed. */
  uid: string;
  generation: number;
}

export const policyReadyType: ResourceType<PolicyReadyInputs, PolicyInForce> = {
  inputs: {
    kubeconfig: "update",
    // There is nothing to delete for the previous policy. A replacement would only delay the resources that depend on
    // this one.
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
  // Envoy Gateway loses its modules on a restart. If it cannot pull one again, it does not retry.
  hasDrifted: async (_olds, news) => (await envoyGateway()).isOut(news).catch(() => true),
};
