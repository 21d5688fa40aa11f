/** The code of the resources of this machine's clusters, for the provider. Each is loaded when it is asked for. */
export type { NodeArgs, NodeState } from "./kind/node.ts";

export const kindNode = () => import("./kind/node.ts");
