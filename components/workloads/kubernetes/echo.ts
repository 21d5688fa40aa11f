import type * as kubernetes from "@pulumi/kubernetes";
import { labels, type PodArgs } from "./pod.ts";
import type { Program } from "./service-code.ts";

const name = "echo";

export function echo(namespace: string, program: Program): PodArgs {
  return {
    name,
    namespace,
    ...program,
    port: 8080,
    healthPath: "/healthz",
    env: { HOST: "0.0.0.0", PORT: "8080" },
    // The autoscaler's percentages are of this cpu. At rest echo uses 2m; a request with `burn` takes up to a core.
    requests: { cpu: "100m", memory: "48Mi" },
    memoryLimit: "256Mi",
  };
}

export interface AutoscalerArgs {
  minReplicas: number;
  maxReplicas: number;
}

/** Percent of the requested cpu that echo's pods are to use. */
export const cpuUtilization = 40;

/** Follows load within a quarter of a minute, up and down: the default would stay up for five minutes. */
export function echoAutoscaler(
  namespace: string,
  { minReplicas, maxReplicas }: AutoscalerArgs,
): kubernetes.types.input.autoscaling.v2.HorizontalPodAutoscaler {
  return {
    metadata: { name, namespace, labels: labels(name) },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      minReplicas,
      maxReplicas,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: cpuUtilization } },
        },
      ],
      behavior: {
        scaleUp: {
          stabilizationWindowSeconds: 0,
          policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
        },
        scaleDown: {
          stabilizationWindowSeconds: 15,
          policies: [{ type: "Percent", value: 100, periodSeconds: 15 }],
        },
      },
    },
  };
}
