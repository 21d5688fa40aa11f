import { headerLimit } from "../../../lib/http.ts";
import type { PodArgs } from "./pod.ts";

/** The maintained httpbin, in Go. The original's image has been without updates since 2018. */
export const httpbinImage = "docker.io/mccutchen/go-httpbin:2.26.0";

export function httpbin(name: string, namespace: string, image: string): PodArgs {
  return {
    name,
    namespace,
    image,
    port: 8080,
    healthPath: "/status/200",
    // Its own limit of 16 KiB is below Envoy's of 60.
    env: { SRV_MAX_HEADER_BYTES: String(headerLimit.maxHeaderSize) },
    requests: { cpu: "10m", memory: "16Mi" },
    memoryLimit: "128Mi",
  };
}
