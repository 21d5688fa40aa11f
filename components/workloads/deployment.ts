import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { Rollout } from "../../provider/resources.ts";
import type { Sidecars } from "../mesh/mesh.ts";
import { createDockerConfig } from "../registry/pull-secret.ts";
import type { Declaration, DeclaredEnv } from "./declared.ts";
import { environment } from "./environment.ts";
import { deployment, service, serviceAccount } from "./kubernetes/pod.ts";

export interface DeployedWorkloadArgs {
  /** The workload as it is declared. */
  declaration: Declaration<"image" | "build">;
  /** As the nodes pull it. */
  image: pulumi.Input<string>;
  /** Name of the Secret that the registry of a built image is asked with, where it asks for a password. */
  registrySecret?: pulumi.Input<string>;
  namespace: string;
  /** Absolute path of the kubeconfig file. */
  kubeconfig: pulumi.Input<string>;
  /** What the mesh wants of the pods. */
  sidecars?: Sidecars;
}

/** A person's own image in the cluster: a Deployment and a Service of the workload's name. Ready once its pods are. */
export class DeployedWorkload extends pulumi.ComponentResource {
  readonly ready: Rollout;

  constructor(name: string, args: DeployedWorkloadArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:workloads:Deployed", name, {}, opts);
    const parent = this;
    const { declaration, image, registrySecret, namespace, kubeconfig, sidecars } = args;
    const { port, env, healthPath, http2 } = declaration;

    const account = new kubernetes.core.v1.ServiceAccount(name, serviceAccount(name, namespace), { parent });
    const secretEnv = createSecrets();
    const pullSecret = createPullSecret();
    const created = createDeployment();
    new kubernetes.core.v1.Service(name, service(name, namespace, http2), { parent });
    this.ready = awaitPods();
    this.registerOutputs({});

    /** Another value is another Secret, and so another pod. */
    function createSecrets() {
      const secrets = Object.entries(env).filter(([, value]) => typeof value !== "string");
      if (secrets.length === 0) return undefined;
      const stringData = pulumi.secret(environment(Object.fromEntries(secrets)));
      const { metadata } = new kubernetes.core.v1.Secret(name, { metadata: { namespace }, stringData }, { parent });
      return { names: secrets.map(([name]) => name), secret: metadata.name };
    }

    function createPullSecret(): pulumi.Input<string> | undefined {
      if (declaration.kind === "build" || declaration.pullSecret === undefined) return registrySecret;
      if (typeof declaration.pullSecret === "string") return declaration.pullSecret;
      const config = new pulumi.Config("meshup").requireSecret(declaration.pullSecret.secret);
      return createDockerConfig(`${name}-pull`, { config, namespace }, { parent });
    }

    function createDeployment(): kubernetes.apps.v1.Deployment {
      const manifest = deployment({
        name,
        namespace,
        image,
        port,
        healthPath,
        env: { HOST: "0.0.0.0", PORT: String(port), ...plain(env) },
        secretEnv,
        pullSecrets: pullSecret === undefined ? [] : [pullSecret],
        writable: true,
        requests: { cpu: "10m", memory: "32Mi" },
      });
      const equipped = sidecars ? sidecars.equip(name, manifest) : manifest;
      return new kubernetes.apps.v1.Deployment(name, withoutAwait(equipped), {
        parent,
        dependsOn: [account, ...(sidecars?.dependsOn ?? [])],
      });
    }

    function awaitPods(): Rollout {
      const { metadata } = created;
      const version = pulumi.interpolate`${metadata.uid}@${metadata.generation}`;
      return new Rollout(name, { kubeconfig, namespace, name, version }, { parent, dependsOn: [created] });
    }
  }
}

function plain(env: DeclaredEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
}

type Manifest = kubernetes.types.input.apps.v1.Deployment;

/** `Rollout` tells more, and sooner, than Pulumi's own waiting does. */
function withoutAwait({ metadata, ...rest }: Manifest): Manifest {
  const annotated = pulumi.output(metadata).apply((known) => ({
    ...known,
    annotations: { ...known?.annotations, "pulumi.com/skipAwait": "true" },
  }));
  return { ...rest, metadata: annotated };
}
