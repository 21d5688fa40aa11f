import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";

import type { StackConfig } from "../config/config.ts";
import type { ChartReference } from "../config/overrides.ts";
import type { Sidecars } from "../mesh/mesh.ts";
import { burstingMetrics, role, roleBinding } from "./kubernetes/bursting-metrics.ts";
import { client, clientImage } from "./kubernetes/client.ts";
import { echo, echoAutoscaler } from "./kubernetes/echo.ts";
import { httpbin, httpbinImage } from "./kubernetes/httpbin.ts";
import { metricsServerImage, metricsServerValues } from "./kubernetes/metrics-server.ts";
import { deployment, type PodArgs, service, serviceAccount } from "./kubernetes/pod.ts";
import { nodejsImage, type Program, ServiceCode, type ServiceName } from "./kubernetes/service-code.ts";
import type { Workloads } from "./workloads.ts";

export interface ClusterWorkloadsArgs {
  config: Pick<StackConfig, "load">;
  /** Default: `default`. */
  namespace?: string;
  /** The chart of metrics-server. None where the cluster has one, as GKE's have: there can only be one. */
  metricsServer?: ChartReference;
  /** What the mesh wants of the pods. */
  sidecars?: Sidecars;
  /** The reference to use in place of an image's own name; that name itself where nothing takes its place. */
  image: (name: string) => string;
}

/** The workloads in a cluster: two httpbins, echo with its autoscaler, bursting-metrics that watches it, and a client. */
export class ClusterWorkloads extends pulumi.ComponentResource implements Workloads {
  readonly resources: pulumi.Resource[];
  readonly logs: Record<string, pulumi.Output<string>> = {};
  /** The pod to send requests from, inside the mesh. */
  readonly client: kubernetes.apps.v1.Deployment;

  constructor(name: string, args: ClusterWorkloadsArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:Cluster", name, {}, opts);
    const parent = this;
    const { config, namespace = "default", image, metricsServer, sidecars } = args;
    const { load } = config;
    const { logs } = this;

    if (metricsServer) createMetricsServer(metricsServer);
    const served = [
      createServed(httpbin("httpbin", namespace, image(httpbinImage))),
      createServed(httpbin("httpbin-two", namespace, image(httpbinImage))),
      createServed(echo(namespace, createProgram("echo"))),
      createBurstingMetrics(),
    ];
    createAutoscaler();
    this.client = createDeployment(client(namespace, image(clientImage)));
    this.resources = [...served, this.client];
    this.registerOutputs({});

    function createMetricsServer(chart: ChartReference) {
      const other = image(metricsServerImage);
      new kubernetes.helm.v3.Release(
        "metrics-server",
        {
          name: "metrics-server",
          namespace: "kube-system",
          ...chart,
          values: metricsServerValues(other === metricsServerImage ? undefined : other),
        },
        { parent },
      );
    }

    function createServed(pod: PodArgs, dependsOn: pulumi.Resource[] = []): kubernetes.apps.v1.Deployment {
      new kubernetes.core.v1.Service(pod.name, service(pod.name, namespace), { parent });
      return createDeployment(pod, dependsOn);
    }

    function createDeployment(pod: PodArgs, dependsOn: pulumi.Resource[] = []): kubernetes.apps.v1.Deployment {
      const account = new kubernetes.core.v1.ServiceAccount(pod.name, serviceAccount(pod.name, namespace), { parent });
      const manifest = deployment(pod);
      logs[pod.name] = pulumi.output(`${namespace}/${pod.name}`);
      return new kubernetes.apps.v1.Deployment(pod.name, sidecars ? sidecars.equip(pod.name, manifest) : manifest, {
        parent,
        dependsOn: [account, ...dependsOn, ...(sidecars?.dependsOn ?? [])],
      });
    }

    function createProgram(name: ServiceName): Program {
      return new ServiceCode(name, { namespace, image: image(nodejsImage) }, { parent }).program;
    }

    function createBurstingMetrics(): kubernetes.apps.v1.Deployment {
      const name = "bursting-metrics";
      const rights = new kubernetes.rbac.v1.Role(name, role(namespace), { parent });
      const binding = new kubernetes.rbac.v1.RoleBinding(name, roleBinding(namespace), { parent, dependsOn: [rights] });
      const pod = burstingMetrics({ namespace, program: createProgram(name), periodMs: load.periodMs });
      return createServed(pod, [binding]);
    }

    function createAutoscaler() {
      // It waits for nothing: its controller takes its time before it looks at a new one.
      new kubernetes.autoscaling.v2.HorizontalPodAutoscaler("echo", echoAutoscaler(namespace, load), { parent });
    }
  }
}
