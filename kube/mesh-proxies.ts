/** A mesh in a cluster, whichever it is: where its proxies are and how each is asked, and its control plane. */
import { UserError } from "../lib/errors.ts";
import { KubeApi } from "./api.ts";
import { controllerPods } from "./controller.ts";

import * as istio from "./istio.ts";
import { type Pod, podsOf } from "./pods.ts";
import { complaints, gatewayPods, proxyComplaints } from "./proxy.ts";

/** One Envoy of the mesh. */
export interface MeshProxy {
  /** The workload whose requests it handles, or `gateway`. */
  workload: string;
  pod: Pod;
  /** Its container in the pod. */
  container: string;
  /** Of Envoy's admin interface, on the pod's loopback. */
  adminPort: number;
}

export interface ClusterMesh {
  /** Every proxy that there is, ready or not. */
  proxies(api: KubeApi): Promise<MeshProxy[]>;
  /** The proxies' container in the gateway's pods. */
  gatewayContainer: string;
  /** What of a proxy's log is about Wasm, Lua and refused configuration: each line once. */
  complaints(log: string): string[];
  controlPlane: { name: string; container: string; pods(api: KubeApi): Promise<Pod[]> };
}

/** By the name that the stack's configuration has for it: `meshup:mesh`. */
const meshes: Record<string, ClusterMesh> = {
  "envoy-gateway": {
    proxies: async (api) =>
      (await gatewayPods(api)).map((pod) => ({ workload: "gateway", pod, container: "envoy", adminPort: 19000 })),
    gatewayContainer: "envoy",
    complaints,
    controlPlane: { name: "envoy-gateway", container: "envoy-gateway", pods: controllerPods },
  },
  istio: {
    proxies: async (api) => {
      const [inGateway, sidecars] = await Promise.all([istio.gatewayPods(api), istio.sidecarPods(api)]);
      const proxy = (workload: string, pod: Pod) => {
        return { workload, pod, container: istio.proxyContainer, adminPort: istio.adminPort };
      };
      const named = sidecars.map((pod) => proxy(pod.metadata.labels?.app ?? pod.metadata.name, pod));
      return [...inGateway.map((pod) => proxy("gateway", pod)), ...named];
    },
    gatewayContainer: istio.proxyContainer,
    complaints: istio.complaintLines,
    controlPlane: {
      name: "istiod",
      container: "discovery",
      pods: (api) => podsOf(api, istio.rootNamespace, { app: "istiod" }),
    },
  },
};

/** @throws UserError for a mesh that runs in no cluster */
export function clusterMesh(name: string): ClusterMesh {
  const mesh = Object.hasOwn(meshes, name) ? meshes[name] : undefined;
  if (!mesh) throw new UserError(`${name} is no mesh in a cluster; those are ${Object.keys(meshes).join(", ")}`);
  return mesh;
}

/** What the mesh's proxies said of Wasm, Lua and refused configuration before `time` (RFC 3339) and since, each line once. */
export async function meshComplaints(
  kubeconfig: string,
  mesh: string,
  time: string,
): Promise<{ before: string[]; since: string[] }> {
  const { proxies, complaints } = clusterMesh(mesh);
  const api = await KubeApi.open(kubeconfig);
  const all = await Promise.all((await proxies(api)).map((proxy) => proxyComplaints(api, proxy, time, complaints)));
  return {
    before: [...new Set(all.flatMap(({ before }) => before))],
    since: [...new Set(all.flatMap(({ since }) => since))],
  };
}
