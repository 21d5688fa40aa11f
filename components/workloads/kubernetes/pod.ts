import type * as kubernetes from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

export type DeploymentManifest = kubernetes.types.input.apps.v1.Deployment;
export type Container = kubernetes.types.input.core.v1.Container;

export interface Mount {
  path: string;
  volume: kubernetes.types.input.core.v1.Volume & { name: string };
}

export interface PodArgs {
  /** Of the deployment, its service, its service account and the label `app`. */
  name: string;
  namespace: string;
  image: pulumi.Input<string>;
  /** In place of the image's own command. */
  command?: string[];
  /** The port that it serves HTTP on; none: it serves nothing. */
  port?: number;
  /** Answers 200 on the port once it works. Default: it works once the port takes connections. */
  healthPath?: string;
  env?: Record<string, string>;
  /** Variables whose values a Secret has, each under its own name. */
  secretEnv?: { names: string[]; secret: pulumi.Input<string> };
  /** Names of the Secrets that its image may be pulled with. */
  pullSecrets?: pulumi.Input<string>[];
  /** It may write to its own files. */
  writable?: boolean;
  /** What it reads: path of a folder in the pod, and the volume that is there. */
  mounts?: Mount[];
  /** What it is meant to need: `{ cpu: "10m", memory: "32Mi" }`. */
  requests: { cpu: string; memory: string };
  /** What it may at most have; more of it ends the pod. Default: what the node has. */
  memoryLimit?: string;
  /** The pod may use the Kubernetes API, as its service account. */
  usesApi?: boolean;
  /** False keeps a mesh from giving it a sidecar. */
  sidecar?: boolean;
  /** Seconds from SIGTERM to SIGKILL; default 30. */
  graceSeconds?: number;
}

/** Port of every service in the cluster. */
export const servicePort = 8000;

/** As meshes and `kubectl` select it. Istio takes `app` and `version` for its telemetry. */
export function labels(name: string): Record<string, string> {
  return { app: name, version: "v1" };
}

/**
 * A deployment of one container that has no rights: not root, nothing writable, no capabilities. It has no `replicas`, so that
 * an autoscaler's, or a person's, stay as they are; Kubernetes starts with one.
 */
export function deployment(args: PodArgs): DeploymentManifest {
  const { name, namespace, port, usesApi = false, graceSeconds, sidecar = true, mounts = [], pullSecrets = [] } = args;
  return {
    metadata: { name, namespace, labels: labels(name) },
    spec: {
      selector: { matchLabels: { app: name } },
      // A new pod is ready before an old one goes: no request finds nobody.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: { ...labels(name), ...(!sidecar && { "sidecar.istio.io/inject": "false" }) } },
        spec: {
          serviceAccountName: name,
          automountServiceAccountToken: usesApi,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: graceSeconds,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            runAsGroup: 1000,
            seccompProfile: { type: "RuntimeDefault" },
            // Only root may take a port below 1024 otherwise.
            ...(port !== undefined &&
              port < 1024 && { sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] }),
          },
          ...(pullSecrets.length > 0 && { imagePullSecrets: pullSecrets.map((name) => ({ name })) }),
          containers: [container(args)],
          ...(mounts.length > 0 && { volumes: mounts.map(({ volume }) => volume) }),
        },
      },
    },
  };
}

function container(args: PodArgs): Container {
  const { name, image, command, port, healthPath, env = {}, secretEnv, mounts = [], requests, memoryLimit } = args;
  const fromSecret = (name: string, { secret }: NonNullable<typeof secretEnv>) => ({
    name,
    valueFrom: { secretKeyRef: { name: secret, key: name } },
  });
  return {
    name,
    image,
    command,
    env: [
      ...Object.entries(env).map(([name, value]) => ({ name, value })),
      ...(secretEnv?.names.map((name) => fromSecret(name, secretEnv)) ?? []),
    ],
    ports: port === undefined ? [] : [{ name: "http", containerPort: port }],
    ...(mounts.length > 0 && {
      volumeMounts: mounts.map(({ path, volume }) => ({ name: volume.name, mountPath: path, readOnly: true })),
    }),
    // No cpu limit: it would slow the pod down even while the machine is idle.
    resources: { requests, ...(memoryLimit !== undefined && { limits: { memory: memoryLimit } }) },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: !args.writable,
      capabilities: { drop: ["ALL"] },
    },
    ...(port !== undefined && probes(healthPath)),
    // Proxies learn a moment later than the pod that it is to go; until then they send it requests.
    ...(port !== undefined && { lifecycle: { preStop: { sleep: { seconds: 3 } } } }),
  };
}

function probes(path: string | undefined): Pick<Container, "startupProbe" | "readinessProbe" | "livenessProbe"> {
  const look = path === undefined ? { tcpSocket: { port: "http" } } : { httpGet: { path, port: "http" } };
  return {
    startupProbe: { ...look, periodSeconds: 1, failureThreshold: 60 },
    readinessProbe: { ...look, periodSeconds: 5, timeoutSeconds: 2 },
    // Slack for a pod whose cpu is all in use: it works, and a restart would lose its requests.
    livenessProbe: { ...look, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  };
}

/** @param http2 its pods speak HTTP/2 in plain text, and meshes are told so */
export function service(name: string, namespace: string, http2 = false): kubernetes.types.input.core.v1.Service {
  const appProtocol = http2 ? { appProtocol: "kubernetes.io/h2c" } : {};
  return {
    metadata: {
      name,
      namespace,
      labels: { app: name },
      // Pulumi would look on for ten seconds whether its pods stay; the deployment tells that they are ready.
      annotations: { "pulumi.com/skipAwait": "true" },
    },
    spec: { selector: { app: name }, ports: [{ name: "http", port: servicePort, targetPort: "http", ...appProtocol }] },
  };
}

export function serviceAccount(name: string, namespace: string): kubernetes.types.input.core.v1.ServiceAccount {
  return { metadata: { name, namespace, labels: { app: name } }, automountServiceAccountToken: false };
}
