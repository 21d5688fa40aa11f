import type * as pulumi from "@pulumi/pulumi";

/** `ghcr.io/me` → `ghcr.io`: what credentials belong to. */
export function registryHost(address: string): string {
  return address.replace(/\/.*$/s, "");
}

export interface ImageArgs {
  /** Repository below the registry: `meshup/filter`. */
  repository: string;
  /** Absolute path of the folder that the image is built from; it has a Dockerfile. Changes when the content does. */
  context: pulumi.Input<string>;
  /** The sha256 of the content, hex: the tag, so that nothing is ever tagged `latest`. */
  tag: pulumi.Input<string>;
}

export interface PushedImage {
  /** `registry.localhost:5000/meshup/filter@sha256:…`: as nodes, pods, proxies and the control plane pull it. */
  reference: pulumi.Output<string>;
  /** `registry.localhost:5000/meshup/filter` */
  repository: pulumi.Output<string>;
  /** The manifest's digest: `sha256:…`. */
  digest: pulumi.Output<string>;
  /** As this machine has pushed it: `127.0.0.1:5001/meshup/filter@sha256:…`. */
  pushed: pulumi.Output<string>;
}

/** With what images are pulled from a registry that asks for a password. */
export interface PullCredentials {
  /** The registry as images name it: `registry.localhost:5000`. */
  registry: string;
  username: string;
  password: pulumi.Input<string>;
}

/** Where images go. This machine pushes to one address; everything in the cluster pulls by one other name. */
export interface Registry {
  /** The name that everything in the cluster pulls by: `registry.localhost:5000`. */
  readonly address: string;
  /** None where everybody may pull. */
  readonly pullCredentials?: PullCredentials;
  /** Builds an image, pushes it, and is complete when the registry serves it by its digest. */
  push(name: string, args: ImageArgs, opts?: pulumi.ComponentResourceOptions): PushedImage;
}
