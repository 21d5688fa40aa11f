import { complaintsOf, together } from "../../../../kube/complaints.ts";
import { apiOf, dumpProxies } from "../../cluster-proxies.ts";
import type { MeshInCluster } from "../../inspector.ts";
import { name } from "../names.ts";
import { controllerPods } from "./controller.ts";
import { diagnose } from "./doctor.ts";
import { adminPort, complaints, digestInForce, gatewayPods, proxyContainer } from "./proxies.ts";

export { isOut, waitForPolicy } from "./ready.ts";

export const inspector: MeshInCluster = {
  running: (mesh) =>
    Promise.all(
      mesh.filters.map(async ({ name: filter, digest }) => {
        const found = await digestInForce(apiOf(mesh), { name: filter, digest });
        return { filter, digest, running: found === digest };
      }),
    ),

  diagnose,

  async dump(mesh) {
    const api = apiOf(mesh);
    const proxies = (await gatewayPods(api)).map((pod) => {
      return { workload: "gateway", pod, container: proxyContainer, adminPort };
    });
    return dumpProxies(api, proxies, mesh.filters);
  },

  parts: (api) => [
    { name: "gateway", container: proxyContainer, pods: () => gatewayPods(api) },
    { name, container: name, pods: () => controllerPods(api) },
  ],

  async complaints(api, time) {
    const of = (await gatewayPods(api)).map((pod) =>
      complaintsOf(api, { pod, container: proxyContainer }, complaints, time),
    );
    return together(await Promise.all(of));
  },
};
