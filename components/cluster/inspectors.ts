/** What looks after the clusters of this machine, for the provider. Each is loaded when it is asked for. */
export type { NodeArgs, NodeState } from "./kind/node.ts";

export const kindNode = () => import("./kind/node.ts");
