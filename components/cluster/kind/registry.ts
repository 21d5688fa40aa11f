import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../../lib/errors.ts";
import { imageType, pushImage } from "../../registry/push.ts";
import type { ImageArgs, PushedImage, Registry } from "../../registry/registry.ts";
import * as engine from "../docker.ts";
import { directoryLabel, generationLabel, type Owner, ownerId, ownerLabel, ownership } from "./config.ts";

export interface LocalRegistryArgs {
  /** Name of the container. */
  name: string;
  /** The docker network of the cluster's nodes. */
  network: string;
  /** The name that it answers to on that network: one that ends in `.localhost`, where plain HTTP is spoken. */
  host: string;
  /** This machine's port, on loopback, that images are pushed to. */
  port: number;
  /** Image of the container. */
  image: string;
  owner: Owner;
  /** A registry made anew is another generation, and is empty. */
  generation: string;
}

/** In the container, and so at `host` on the nodes' network. */
const port = 5000;

/** A registry in a container on the nodes' network. It speaks plain HTTP, and on this machine on loopback only. */
export class LocalRegistry extends pulumi.ComponentResource implements Registry {
  /** `registry.localhost:5000` */
  readonly address: string;
  readonly #args: LocalRegistryArgs;
  readonly #container: docker.Container;

  constructor(name: string, args: LocalRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:registry:Local", name, {}, opts);
    const parent = this;
    const { owner, generation } = args;
    const labels = {
      [ownerLabel]: ownerId(owner),
      [generationLabel]: generation,
      [directoryLabel]: (owner.mark ?? owner).directory,
    };

    this.address = `${args.host}:${port}`;
    this.#args = args;
    const image = pullImage();
    this.#container = createContainer();
    this.registerOutputs({ address: this.address });

    function pullImage(): docker.RemoteImage {
      // Others may use it too: it stays when the stack goes.
      return new docker.RemoteImage(name, { name: args.image, keepLocally: true }, { parent });
    }

    function createContainer(): docker.Container {
      return new docker.Container(
        name,
        {
          name: args.name,
          image: image.imageId,
          labels: Object.entries(labels).map(([label, value]) => ({ label, value })),
          networksAdvanced: [{ name: args.network, aliases: [args.host] }],
          ports: [{ internal: port, external: args.port, ip: "127.0.0.1" }],
          volumes: [{ containerPath: "/var/lib/registry" }], // goes with the container
          envs: Object.entries(environment).map(([k, v]) => `${k}=${v}`),
          restart: "always", // after a reboot, as kind's node
          // The image knows no other user than root. This root may do nothing that root may, and write to its volume only.
          capabilities: { drops: ["ALL"] },
          securityOpts: ["no-new-privileges"],
          readOnly: true,
        },
        { parent, deleteBeforeReplace: true, hooks: { beforeCreate: [removeLeftover(args)] } },
      );
    }
  }

  push(name: string, args: ImageArgs, opts?: pulumi.ComponentResourceOptions): PushedImage {
    const { generation, port } = this.#args;
    const { address } = this;
    return pushImage(
      name,
      // An empty registry is given everything again.
      { ...args, address, server: `127.0.0.1:${port}`, buildArgs: { MESHUP_REGISTRY: generation } },
      { parent: this, provider: this.getProvider(imageType), dependsOn: [this.#container], ...opts },
    );
  }
}

const environment = {
  OTEL_TRACES_EXPORTER: "none", // else it logs that nobody collects its traces
  REGISTRY_STORAGE_DELETE_ENABLED: "false",
};

/**
 * A container that a killed `up` has made is not in Pulumi's state, and its name would be taken: it is removed before the
 * container is made again. One that is not the stack's own is refused.
 */
function removeLeftover({ name, owner }: LocalRegistryArgs): pulumi.ResourceHook {
  return new pulumi.ResourceHook(`leftover-${name}`, async () => {
    const [container] = await engine.findContainers([name]);
    if (!container) return;
    if (ownership(container)?.owner !== ownerId(owner))
      throw new UserError(`there is a container ${name} that this stack did not make: it is left alone`);
    await engine.docker(["rm", "--force", "--volumes", container.id]);
  });
}
