import type { MeshSettings } from "../mesh.ts";
import { labelsOf, type ModuleVolume, podVolume, volumeMount } from "./module-volume.ts";

/** Values of Istio's charts, version 1.31: https://github.com/istio/istio/tree/master/manifests/charts */

export interface IstiodValuesArgs {
  config: Pick<MeshSettings, "logLevels" | "concurrency" | "upstreamEnvoy">;
  /** Of the control plane, where the chart's own is not to be taken. */
  pilotImage?: string;
  /** Of sidecars and gateways, likewise. */
  proxyImage?: string;
}

export function istiodValues({ config, pilotImage, proxyImage }: IstiodValuesArgs) {
  const levels = Object.entries({ misc: "error", ...config.logLevels });
  const image = proxyImage === undefined ? {} : { image: proxyImage };
  return {
    autoscaleEnabled: false,
    resources: { requests: { cpu: "50m", memory: "128Mi" } },
    ...(pilotImage !== undefined && { image: pilotImage }),
    global: {
      proxy: {
        ...image,
        // The chart's `warning` would hide what filters log as info.
        componentLogLevel: levels.map(([component, level]) => `${component}:${level}`).join(","),
        resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "1Gi" } },
      },
      proxy_init: image,
    },
    meshConfig: { defaultConfig: { concurrency: config.concurrency } },
    ...(config.upstreamEnvoy && upstreamEnvoy),
  };
}

/** An Envoy that is not Istio's own build lacks the filters that these would configure. */
const upstreamEnvoy = {
  env: {
    PILOT_ENABLE_METADATA_EXCHANGE: "false",
    PILOT_DISABLE_MX_ALPN: "true",
    PILOT_ENABLE_ALPN_FILTER: "false",
  },
  telemetry: { enabled: false },
};

export interface GatewayValuesArgs {
  /** Modules that its pods have mounted. */
  volumes?: ModuleVolume[];
  podAnnotations?: Record<string, string>;
}

export function gatewayValues({ volumes = [], podAnnotations = {} }: GatewayValuesArgs) {
  return {
    autoscaling: { enabled: false },
    podAnnotations,
    resources: { requests: { cpu: "20m", memory: "64Mi" }, limits: { cpu: null, memory: "1Gi" } },
    // A new pod is ready before the old one goes: no request finds nobody.
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    service: { type: "ClusterIP", ports: [{ name: "http2", port: 80, targetPort: 80 }] },
    ...(volumes.length > 0 && {
      labels: labelsOf(volumes),
      volumes: volumes.map(podVolume),
      volumeMounts: volumes.map(volumeMount),
    }),
  };
}
