/** What is used of Kubernetes' client, and no more: all of it takes half a second to load. */
export { KubeConfig } from "@kubernetes/client-node/dist/config.js";
export { PortForward } from "@kubernetes/client-node/dist/portforward.js";
