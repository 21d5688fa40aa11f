import type { KubeApi } from "../../../../kube/api.ts";
import { complaintsOf, together } from "../../../../kube/complaints.ts";
import { type Pod, podsOf } from "../../../../kube/pods.ts";
import { apiOf, dumpProxies, type MeshProxy } from "../../cluster-proxies.ts";
import type { MeshInCluster } from "../../inspector.ts";
import { rootNamespace } from "../names.ts";
import { diagnose } from "./doctor.ts";
import { adminPort, complaintLines, gatewayPods, type PodPlace, proxyContainer, sidecarPods } from "./proxies.ts";
import { isInForce } from "./ready.ts";
import { elsewhere, wantedOf } from "./wanted.ts";

export { hasChanged, waitForProxies } from "./ready.ts";

export const inspector: MeshInCluster = {
  running: (mesh) =>
    Promise.all(
      mesh.filters.map(async ({ name: filter, digest }) => {
        return { filter, digest, running: await isInForce(apiOf(mesh), wantedOf(mesh, filter)) };
      }),
    ),

  diagnose,

  dump: async (mesh) => dumpProxies(apiOf(mesh), await proxiesOf(apiOf(mesh), elsewhere(mesh)), mesh.filters),

  parts: (api) => [
    { name: "gateway", container: proxyContainer, pods: () => gatewayPods(api) },
    { name: "istiod", container: "discovery", pods: () => podsOf(api, rootNamespace, { app: "istiod" }) },
  ],

  async complaints(api, time) {
    const of = (await proxiesOf(api)).map((proxy) => complaintsOf(api, proxy, complaintLines, time));
    return together(await Promise.all(of));
  },
};

async function proxiesOf(api: KubeApi, others: PodPlace[] = []): Promise<MeshProxy[]> {
  const [inGateway, sidecars] = await Promise.all([gatewayPods(api), sidecarPods(api, others)]);
  const proxy = (workload: string, pod: Pod) => ({ workload, pod, container: proxyContainer, adminPort });
  const named = sidecars.map((pod) => proxy(pod.metadata.labels?.app ?? pod.metadata.name, pod));
  return [...inGateway.map((pod) => proxy("gateway", pod)), ...named];
}
