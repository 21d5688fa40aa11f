/** `meshup:kind:Node`: the stack's own kind cluster, as Docker has it. A Command makes it, and does not look at it again. */
import { kindNode, type NodeArgs, type NodeState } from "../components/cluster/inspectors.ts";
import type { ResourceType } from "./resource.ts";

export const kindNodeType: ResourceType<NodeArgs, NodeState> = {
  // `settings` and `cluster` change only where there is no cluster: the program sees to that.
  inputs: { cluster: "update", owner: "update", directory: "update", settings: "update", registries: "update" },
  id: ({ cluster }) => cluster,
  create: async (inputs, context) => (await kindNode()).settle(inputs, undefined, context),
  update: async (olds, news, context) => (await kindNode()).settle(news, olds, context),
  hasDrifted: async ({ generation }, news) => (await kindNode()).hasChanged(news, generation),
  delete: async (state) => (await kindNode()).remove(state),
};
