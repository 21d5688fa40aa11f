/**
 * `meshup:kind:Node`: the stack's own kind cluster, as Docker reports it. A Command creates it but never checks it
 * again.
 */
import { kindNode, type NodeArgs, type NodeState } from "../components/cluster/resources.ts";
import type { ResourceType } from "./resource.ts";

export const kindNodeType: ResourceType<NodeArgs, NodeState> = {
  // `settings` and `cluster` change only if there is no cluster; the program ensures this.
  inputs: { cluster: "update", owner: "update", directory: "update", settings: "update", registries: "update" },
  id: ({ cluster }) => cluster,
  create: async (inputs, context) => (await kindNode()).settle(inputs, undefined, context),
  update: async (olds, news, context) => (await kindNode()).settle(news, olds, context),
  hasDrifted: async ({ generation }, news) => (await kindNode()).hasChanged(news, generation),
  delete: async (state) => (await kindNode()).remove(state),
};
