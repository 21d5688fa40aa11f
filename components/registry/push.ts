import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../lib/errors.ts";
import * as engine from "../cluster/docker.ts";
import { type ImageArgs, type PushedImage, registryHost } from "./registry.ts";

export interface PushArgs extends ImageArgs {
  /** The registry as everything in the cluster names it: `registry.localhost:5000`. */
  address: string;
  /** The same registry as this machine's Docker reaches it: `127.0.0.1:5001`. */
  server: string;
  /** Default: those that Docker has for this server. */
  credentials?: { username: string; password: pulumi.Input<string> };
  /** Another value builds and pushes anew. */
  buildArgs?: Record<string, string>;
  /** What a person can do about an error of Docker's, which tells neither that nor the registry. */
  advice?: (error: string) => string | undefined;
}

/** What `getProvider` knows the provider of images by. */
export const imageType = "docker:index/image:Image";

/** Builds an image with this machine's Docker and pushes it, whatever the registry. */
export function pushImage(name: string, args: PushArgs, opts: pulumi.CustomResourceOptions): PushedImage {
  const { address, server, repository, context, tag, credentials, buildArgs, advice } = args;
  const tidy = removeImage(name);
  const image = new docker.Image(
    name,
    {
      imageName: pulumi.interpolate`${server}/${repository}:${tag}`,
      build: {
        context,
        platform: `linux/${process.arch === "x64" ? "amd64" : process.arch}`, // the engine's own, which kind's node runs on
        dockerfile: pulumi.interpolate`${context}/Dockerfile`,
        args: buildArgs,
      },
      registry: credentials && {
        server: registryHost(server),
        username: credentials.username,
        password: pulumi.secret(credentials.password),
      },
    },
    { ...opts, hooks: { afterCreate: [tidy], afterUpdate: [tidy], onError: [onError(name, advice)] } },
  );
  const digest = image.repoDigest.apply((reference) => digestOf(reference));
  return {
    repository: pulumi.output(`${address}/${repository}`),
    digest,
    reference: pulumi.interpolate`${address}/${repository}@${digest}`,
    pushed: image.repoDigest,
  };
}

/** What was pushed is in the registry: Docker's own copy would outlive the stack, since Pulumi never deletes it. */
function removeImage(name: string): pulumi.ResourceHook {
  const remove = ({ newOutputs }: pulumi.ResourceHookArgs) => removeCopy(newOutputs);
  return new pulumi.ResourceHook(`pushed-${name}`, remove, { ignoreErrors: true });
}

async function removeCopy(image: Record<string, unknown> | undefined): Promise<void> {
  await engine.docker(["image", "rm", String(image?.imageName)]);
}

/** What an error hook throws, the engine reports in place of the error. */
function onError(name: string, advice: PushArgs["advice"]): pulumi.ErrorHook {
  return new pulumi.ErrorHook(`push-${name}`, async ({ newInputs, errors }) => {
    await removeCopy(newInputs).catch(() => {}); // there is none of an image that was not built
    const error = errors.join("\n");
    const text = advice?.(error);
    if (text !== undefined) throw new UserError(`${text}\n  Docker says: ${error}`);
    return false; // it is not tried again
  });
}

/** `127.0.0.1:5001/meshup/filter@sha256:…` → `sha256:…` */
export function digestOf(reference: string): string {
  const digest = /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
  // A preview may give the name without a digest.
  return digest ?? reference;
}
