import { readFileSync } from "node:fs";
import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../lib/errors.ts";
import { imageReference, type Overrides } from "../overrides.ts";
import { deployment, service, serviceAccount, servicePort } from "../workloads/kubernetes/pod.ts";
import { mostBytes, nodeImage, ServiceCode } from "../workloads/kubernetes/service-code.ts";

export interface ModuleServerArgs {
  config: Pick<Overrides, "images">;
  namespace: string;
  /** What it serves: absolute path and sha256 (hex) of each module. */
  modules: { file: pulumi.Output<string>; digest: pulumi.Output<string> }[];
}

const name = "modules";

/** Serves modules inside the cluster, for delivery by HTTP: `http://modules.NAMESPACE.svc.cluster.local:8000/SHA256.wasm`. */
export class ModuleServer extends pulumi.ComponentResource {
  readonly #ready: pulumi.Output<unknown>;
  readonly #namespace: string;

  constructor(args: ModuleServerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:mesh:ModuleServer", name, {}, opts);
    const parent = this;
    const { config, namespace, modules } = args;

    const volume = createVolume();
    const server = createServer();
    this.#namespace = namespace;
    this.#ready = pulumi.all([server.id, createService().id]);
    this.registerOutputs({});

    /** A ConfigMap for each module: a changed one is a new ConfigMap, which the pods take as they are replaced. */
    function createVolume() {
      const sources = modules.map(({ file, digest }, i) => {
        const binaryData = pulumi.all([file, digest]).apply(([path, sha256]) => moduleData(path, sha256));
        const map = new kubernetes.core.v1.ConfigMap(
          `${name}-${i}`,
          { metadata: { namespace }, binaryData },
          { parent },
        );
        return { configMap: { name: map.metadata.name } };
      });
      return { name, projected: { sources } };
    }

    function createServer(): kubernetes.apps.v1.Deployment {
      const image = imageReference(config, nodeImage);
      const { program } = new ServiceCode(name, { namespace, image }, { parent });
      const account = new kubernetes.core.v1.ServiceAccount(name, serviceAccount(name, namespace), { parent });
      const manifest = deployment({
        name,
        namespace,
        ...program,
        mounts: [...program.mounts, { path: "/modules", volume }],
        port: 8080,
        healthPath: "/healthz",
        env: { HOST: "0.0.0.0", PORT: "8080", MODULES_DIRECTORY: "/modules" },
        requests: { cpu: "1m", memory: "32Mi" },
        memoryLimit: "128Mi",
        sidecar: false, // proxies fetch from it while they start
      });
      const customTimeouts = { create: "3m", update: "3m" };
      return new kubernetes.apps.v1.Deployment(name, manifest, {
        parent,
        dependsOn: [account],
        customTimeouts,
      });
    }

    function createService(): kubernetes.core.v1.Service {
      return new kubernetes.core.v1.Service(name, service(name, namespace), { parent, dependsOn: [server] });
    }
  }

  /** Where a module is served; known once it is. */
  url(digest: pulumi.Input<string>): pulumi.Output<string> {
    return pulumi
      .all([digest, this.#ready])
      .apply(([sha256]) => `http://${name}.${this.#namespace}.svc.cluster.local:${servicePort}/${sha256}.wasm`);
  }
}

/** @throws UserError when the module is too large for a ConfigMap */
export function moduleData(file: string, sha256: string): Record<string, string> {
  const base64 = readFileSync(file).toString("base64");
  if (base64.length > mostBytes)
    throw new UserError(
      `the module ${file} is too large for delivery by http (a ConfigMap takes ${Math.floor((mostBytes * 3) / 4)} bytes): deliver it by image`,
    );
  return { [`${sha256}.wasm`]: base64 };
}
