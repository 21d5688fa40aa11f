import { UserError } from "../lib/errors.ts";

/** What an image, or another thing in a registry, is named by. */
export interface Reference {
  /** As it was written. */
  text: string;
  /** With its port, where it has one: `ghcr.io`, `localhost:5001`. */
  registry: string;
  /** `me/filter` */
  repository: string;
  tag?: string;
  /** `sha256:…` */
  digest?: string;
}

const scheme = "oci://";
const example = "oci://ghcr.io/me/filter@sha256:…";

/** https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests */
const segment = /^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^\w[\w.-]{0,127}$/;
const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isReference(text: string): boolean {
  return text.startsWith(scheme);
}

/**
 * `oci://ghcr.io/me/filter:v1@sha256:…`, with tag, digest or both. Without a host it is Docker Hub's, as Docker has it.
 * @throws UserError
 */
export function parseReference(text: string): Reference {
  const [named = "", digest, ...rest] = text.slice(scheme.length).split("@");
  const colon = named.indexOf(":", named.lastIndexOf("/") + 1);
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  const [first = "", ...below] = path.split("/");
  const hasHost = namesHost(path);
  const registry = hasHost ? first : "docker.io";
  const segments = hasHost ? below : [first, ...below];
  const repository = isDockerHub(registry) && segments.length === 1 ? ["library", ...segments] : segments;
  const isHost = /^([\w.-]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?$/.test(registry);
  if (!isReference(text) || !isHost || !segments.every((one) => segment.test(one)) || rest.length > 0)
    throw new UserError(`${text} names no image; one is such as ${example}`);
  if (tag !== undefined && !tagPattern.test(tag)) throw new UserError(`${text}: "${tag}" cannot be a tag`);
  if (digest !== undefined && !digestPattern.test(digest))
    throw new UserError(`${text}: a digest is sha256: and 64 of 0-9 and a-f, as in ${example}`);
  return { text, registry, repository: repository.join("/"), tag, digest };
}

/** Docker's rule: what stands before the first slash is a host where it has a dot or a port, or is `localhost`. */
export function namesHost(name: string): boolean {
  return /^([^/]*[.:][^/]*|localhost)\//.test(name);
}

/** The same with a digest, and without a tag. */
export function withDigest({ registry, repository }: Reference, digest: string): string {
  return `${scheme}${registry}/${repository}@${digest}`;
}

/** Docker Hub has names of its own for its registry. */
export function isDockerHub(registry: string): boolean {
  return /^((index|registry-1)\.)?docker\.io(\/|$)/.test(registry);
}
