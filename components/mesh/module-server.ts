import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import {
  type DeploymentManifest,
  deployment,
  service,
  serviceAccount,
  servicePort,
} from "../workloads/kubernetes/pod.ts";
import type { Program } from "../workloads/kubernetes/service-code.ts";
import { namespace, serviceHost } from "./manifest.ts";
import { moduleData, moduleFileName } from "./module-data.ts";

export interface ModuleServerArgs {
  /** What it runs. */
  program: Program;
  /** The filter that it is for, the first one of several. */
  filter: string;
  /** What it serves: absolute path and sha256 (hex). */
  file: pulumi.Output<string>;
  digest: pulumi.Output<string>;
}

/**
 * Serves a module inside the cluster, for delivery by HTTP: `http://module-….NAMESPACE.svc.cluster.local:8000/SHA256.wasm`.
 *
 * A changed module is another ConfigMap, and by its name another server. The one before is there until the update has
 * ended, for proxies that start while it goes on and do not know of the new one yet.
 */
export class ModuleServer extends pulumi.ComponentResource {
  /** Where the module is served; known once it is. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: ModuleServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:mesh:ModuleServer", name, {}, opts);
    const parent = this;
    const { program, filter, file, digest } = args;
    const module = createModule();
    const unique = module.metadata.name;
    const server = createServer();
    const { id } = createService();
    this.url = pulumi
      .all([unique, digest, server.id, id])
      .apply(([name, sha256]) => `http://${serviceHost(name)}:${servicePort}/${moduleFileName(sha256)}`);
    this.registerOutputs({ url: this.url });

    /** Its name is one of its own, and a Service's, which has 63 characters at most. */
    function createModule(): kubernetes.core.v1.ConfigMap {
      const binaryData = pulumi.all([file, digest]).apply(([file, digest]) => moduleData(filter, { file, digest }));
      return new kubernetes.core.v1.ConfigMap(
        `module-${name.slice(0, 45)}`,
        { metadata: { namespace }, immutable: true, binaryData },
        { parent },
      );
    }

    function createServer(): kubernetes.apps.v1.Deployment {
      const account = unique.apply((host) => pulumi.output(serviceAccount(host, namespace)));
      const { metadata, automountServiceAccountToken } = account;
      const created = new kubernetes.core.v1.ServiceAccount(
        name,
        { metadata, automountServiceAccountToken },
        { parent },
      );
      const manifest = unique.apply((host) => pulumi.output(podOf(host)));
      const customTimeouts = { create: "3m", update: "3m" };
      const opts = { parent, dependsOn: [created], customTimeouts };
      return new kubernetes.apps.v1.Deployment(name, { metadata: manifest.metadata, spec: manifest.spec }, opts);
    }

    function podOf(host: string): DeploymentManifest {
      return deployment({
        name: host,
        namespace,
        ...program,
        mounts: [...program.mounts, { path: "/modules", volume: { name: "module", configMap: { name: host } } }],
        port: 8080,
        healthPath: "/healthz",
        env: { HOST: "0.0.0.0", PORT: "8080", MODULES_DIRECTORY: "/modules" },
        requests: { cpu: "1m", memory: "32Mi" },
        memoryLimit: "128Mi",
        sidecar: false, // proxies fetch from it while they start
      });
    }

    function createService(): kubernetes.core.v1.Service {
      const { metadata, spec } = unique.apply((host) => pulumi.output(service(host, namespace)));
      return new kubernetes.core.v1.Service(name, { metadata, spec }, { parent, dependsOn: [server] });
    }
  }
}
