import type { PodArgs } from "./pod.ts";

export const clientImage = "docker.io/curlimages/curl:8.17.0";

/** A pod to send requests from: `kubectl exec deploy/client -- curl -s --head httpbin:8000/get`. */
export function client(namespace: string, image: string): PodArgs {
  return {
    name: "client",
    namespace,
    image,
    command: ["sleep", "infinity"],
    requests: { cpu: "1m", memory: "8Mi" },
    memoryLimit: "64Mi",
    graceSeconds: 1, // `sleep` does not heed SIGTERM
  };
}
