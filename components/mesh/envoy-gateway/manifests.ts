import { stringify } from "yaml";
import type { Exposure } from "../../cluster/cluster.ts";
import type { Backend } from "../../workloads/backend.ts";
import { envoyCluster, imageAuthorities } from "../envoy-cluster.ts";
import { type NamedManifest, namespace } from "../manifest.ts";
import type { MeshSettings } from "../mesh.ts";
import { controllerNamespace, gatewayName } from "./names.ts";

/**
 * Envoy Gateway's own resources, and the Gateway that it is given, as plain functions. Field names and types are those of
 * https://gateway-api.sigs.k8s.io/reference/spec/ and https://gateway.envoyproxy.io/docs/api/extension_types/
 */
export function gatewayClass(): NamedManifest {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "GatewayClass",
    metadata: { name: "meshup" },
    spec: {
      controllerName: "gateway.envoyproxy.io/gatewayclass-controller",
      parametersRef: {
        group: "gateway.envoyproxy.io",
        kind: "EnvoyProxy",
        name: gatewayName,
        namespace: controllerNamespace,
      },
    },
  };
}

export interface EnvoyProxyArgs {
  /** The proxy's image; Envoy Gateway's own choice where none is given. */
  image?: string;
  exposure: Exposure;
  /** What filters can call. */
  backends: Backend[];
  config: Pick<MeshSettings, "logLevels" | "concurrency">;
}

/** How Envoy Gateway runs its proxies. It replaces the chart's `envoyProxy` settings as a whole. */
export function envoyProxy({ image, exposure, backends, config }: EnvoyProxyArgs): NamedManifest {
  return {
    apiVersion: "gateway.envoyproxy.io/v1alpha1",
    kind: "EnvoyProxy",
    metadata: { name: gatewayName, namespace: controllerNamespace },
    spec: {
      concurrency: config.concurrency,
      logging: { level: { default: "warn", ...logLevels(config.logLevels) } },
      bootstrap: { type: "Merge", value: stringify(calloutBootstrap(backends)) },
      provider: {
        type: "Kubernetes",
        kubernetes: {
          envoyDeployment: {
            replicas: 1,
            container: {
              ...(image !== undefined && { image }),
              resources: { requests: { cpu: "50m", memory: "128Mi" }, limits: { memory: "1Gi" } },
            },
            patch: { type: "StrategicMerge", value: { spec: { template: { spec: { containers: quickToStart } } } } },
          },
          envoyService: service(exposure),
        },
      },
    },
  };
}

/** Envoy Gateway looks every 10 s whether a proxy has started, which takes about 2 s. The time that it may take stays. */
const quickToStart = ["envoy", "shutdown-manager"].map((name) => ({
  name,
  startupProbe: { periodSeconds: 1, failureThreshold: 300 },
}));

/** Envoy says `warning`, Envoy Gateway `warn`. */
function logLevels(levels: MeshSettings["logLevels"]): Record<string, string> {
  return Object.fromEntries(
    Object.entries(levels).map(([component, level]) => [component, level === "warning" ? "warn" : level]),
  );
}

/**
 * A filter calls out only through a cluster that its proxy knows by name, and Envoy Gateway names its own after routes:
 * so every backend is one in the bootstrap, under the name that it has on this machine's Envoy too.
 */
function calloutBootstrap(backends: Backend[]) {
  return { static_resources: { clusters: backends.map((backend) => envoyCluster(backend, imageAuthorities)) } };
}

function service(exposure: Exposure) {
  // `Local`, the default, leaves the node ports of nodes without a proxy unanswered.
  const externalTrafficPolicy = "Cluster";
  if (exposure.type === "loadBalancer") return { type: "LoadBalancer", externalTrafficPolicy };
  const ports = [{ port: 80, nodePort: exposure.nodePort }];
  return {
    type: "NodePort",
    externalTrafficPolicy,
    patch: { type: "StrategicMerge", value: { spec: { ports } } },
  };
}

export function gateway(): NamedManifest {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "Gateway",
    metadata: { name: gatewayName, namespace },
    spec: {
      gatewayClassName: gatewayClass().metadata.name,
      listeners: [{ name: "http", protocol: "HTTP", port: 80, allowedRoutes: { namespaces: { from: "Same" } } }],
    },
  };
}
