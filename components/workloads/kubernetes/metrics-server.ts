export const metricsServerImage = "registry.k8s.io/metrics-server/metrics-server";

/**
 * The chart's values.
 * @param image in place of the chart's own; `undefined` leaves that, with its tag
 */
export function metricsServerValues(image: string | undefined) {
  return {
    args: [
      "--kubelet-insecure-tls", // kind's kubelets have certificates that nobody signed
      // The shortest there is, and it has to be longer than one request: the chart's 15 s add to what an autoscaler waits for.
      "--metric-resolution=10s",
      "--kubelet-request-timeout=8s",
    ],
    // The chart waits 20 s before its first look.
    readinessProbe: { initialDelaySeconds: 1, periodSeconds: 2, failureThreshold: 30 },
    resources: { requests: { cpu: "20m", memory: "48Mi" } },
    ...(image !== undefined && { image: splitReference(image) }),
  };
}

/** `host:5000/repository:tag` → the two that the chart joins by a colon; a digest's own colon serves as that. */
export function splitReference(reference: string): { repository: string; tag?: string } {
  const colon = reference.lastIndexOf(":");
  if (colon <= reference.lastIndexOf("/")) return { repository: reference };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
