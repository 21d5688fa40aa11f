import type * as kubernetes from "@pulumi/kubernetes";
import type { PodArgs } from "./pod.ts";
import type { Program } from "./service-code.ts";

const name = "bursting-metrics";

export interface BurstingMetricsArgs {
  namespace: string;
  program: Program;
  /** Milliseconds that what the Kubernetes API answered stands. */
  periodMs: number;
}

export function burstingMetrics({ namespace, program, periodMs }: BurstingMetricsArgs): PodArgs {
  return {
    name,
    namespace,
    ...program,
    port: 8080,
    // Not /readyz: without figures it is to answer 503 with the reason, which it cannot while it counts as not ready.
    healthPath: "/healthz",
    env: {
      HOST: "0.0.0.0",
      PORT: "8080",
      LOAD_SOURCE: "kubernetes",
      LOAD_NAMESPACE: namespace,
      LOAD_PERIOD_MS: String(periodMs),
    },
    requests: { cpu: "20m", memory: "48Mi" },
    memoryLimit: "256Mi",
    usesApi: true,
  };
}

/** All that services/load/kubernetes.ts asks the API for, in the one namespace, and nothing else. */
export function role(namespace: string): kubernetes.types.input.rbac.v1.Role {
  return {
    metadata: { name, namespace, labels: { app: name } },
    rules: [
      { apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"], verbs: ["list"] },
      { apiGroups: ["apps"], resources: ["deployments"], verbs: ["get"] },
      { apiGroups: ["metrics.k8s.io"], resources: ["pods"], verbs: ["list"] },
    ],
  };
}

export function roleBinding(namespace: string): kubernetes.types.input.rbac.v1.RoleBinding {
  return {
    metadata: { name, namespace, labels: { app: name } },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
    subjects: [{ kind: "ServiceAccount", name, namespace }],
  };
}
