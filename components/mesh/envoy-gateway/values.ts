/**
 * The values of Envoy Gateway's chart.
 * @param image of the control plane, and of the proxies' shutdown manager
 * @param urls whether routes lead to URLs: else Envoy Gateway lets no route out of the cluster
 */
export function helmValues(image: string, urls: boolean) {
  return {
    // Modules are served under this domain, whatever the cluster's own is.
    kubernetesClusterDomain: "cluster.local",
    global: { images: { envoyGateway: { image } } },
    config: {
      envoyGateway: {
        provider: { type: "Kubernetes", kubernetes: { shutdownManager: { image } } },
        extensionApis: { enableLua: true, ...(urls && { enableBackend: true }) },
      },
    },
    deployment: {
      envoyGateway: {
        resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "1Gi" } },
        // A control plane that is replaced is to be there before the old one goes.
        strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
        readinessProbe: {
          httpGet: { path: "/readyz", port: 8081 },
          periodSeconds: 2,
          successThreshold: 1,
          timeoutSeconds: 1,
          failureThreshold: 5,
        },
      },
    },
  };
}
