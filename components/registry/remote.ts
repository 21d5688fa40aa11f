import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { isDockerHub } from "../../oci/reference.ts";
import { dockerHost } from "../cluster/docker.ts";
import { passwordKey, type StackConfig } from "../config/config.ts";
import { readPassword } from "./credentials.ts";
import { imageType, pushImage } from "./push.ts";
import { type ImageArgs, type PullCredentials, type PushedImage, type Registry, registryHost } from "./registry.ts";

export interface RemoteRegistryArgs {
  /** As everything in the cluster pulls from it: `registry.example.com:5000`, `ghcr.io/me`. */
  address: string;
  /** As this machine pushes to it. Default: the same. */
  push?: string;
  /** For pushing and pulling. Default: none to pull, and Docker's own for this registry to push. */
  credentials?: { username: string; password: pulumi.Input<string> };
}

/** A registry that is there already, and that asks for a password or does not. */
export class RemoteRegistry extends pulumi.ComponentResource implements Registry {
  readonly address: string;
  readonly pullCredentials?: PullCredentials;
  readonly #args: RemoteRegistryArgs;

  constructor(name: string, args: RemoteRegistryArgs, opts?: pulumi.ComponentResourceOptions) {
    super("meshup:registry:Remote", name, {}, opts);
    const { address, credentials } = args;

    this.address = address;
    this.#args = args;
    if (credentials) this.pullCredentials = { registry: credentialsKey(address), ...credentials };
    this.registerOutputs({ address });
  }

  push(name: string, args: ImageArgs, opts?: pulumi.ComponentResourceOptions): PushedImage {
    const { address, push: server = address, credentials } = this.#args;
    const repository = isDockerHub(server) ? args.repository.replaceAll("/", "-") : args.repository;
    return pushImage(
      name,
      { ...args, repository, address, server, credentials, advice: (error) => pushAdvice(error, server) },
      { parent: this, provider: this.getProvider(imageType), ...opts },
    );
  }
}

/** What clients look a registry's credentials up by. Docker Hub's have kept the name of its first version. */
export function credentialsKey(address: string): string {
  return isDockerHub(address) ? "https://index.docker.io/v1/" : registryHost(address);
}

/** @param error what Docker says of a push to `server` */
export function pushAdvice(error: string, server: string): string | undefined {
  const known: [RegExp, string][] = [
    [
      /unauthorized|denied|forbidden|no basic auth|authentication required|\b40[13]\b/i,
      `The registry ${server} refuses the push: see meshup:registry.username, and set the password: \`pulumi config set --secret meshup:${passwordKey}\``,
    ],
    [
      /HTTP response to HTTPS client|x509/,
      `Docker wants TLS from the registry ${server}, and a certificate that it trusts; plain HTTP only from localhost, or from what /etc/docker/daemon.json lists under insecure-registries`,
    ],
    [
      /connection refused|no such host|i\/o timeout|deadline exceeded|no route to host|server misbehaving/,
      `The registry ${server} does not answer this machine: meshup:registry.push says where to push to (default: the address)`,
    ],
  ];
  return known.find(([pattern]) => pattern.test(error))?.[1];
}

/**
 * The registry that a stack's configuration names; its password is asked for here and nowhere else.
 * @throws UserError when the password stands in the stack's file as plain text
 */
export async function createRemoteRegistry({
  address,
  push,
  username,
}: NonNullable<StackConfig["registry"]>): Promise<RemoteRegistry> {
  const credentials = username === undefined ? undefined : { username, password: readPassword() };
  const provider = new docker.Provider("registry", { host: await dockerHost() });
  return new RemoteRegistry("registry", { address, push, credentials }, { providers: { docker: provider } });
}
