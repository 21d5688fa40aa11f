/** The parts of Kubernetes' client that are used here. Loading all of it takes half a second. */
export { KubeConfig } from "@kubernetes/client-node/dist/config.js";
export { PortForward } from "@kubernetes/client-node/dist/portforward.js";
