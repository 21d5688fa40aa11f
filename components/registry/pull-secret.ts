import * as kubernetes from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { Registry } from "./registry.ts";

/**
 * What images of a registry that asks for a password are pulled with.
 * @returns its name; undefined where everybody may pull
 */
export function createPullSecret(
  name: string,
  { registry, namespace }: { registry: Registry; namespace: string },
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> | undefined {
  if (!registry.pullCredentials) return undefined;
  const { registry: host, username, password } = registry.pullCredentials;
  const auths = { [host]: { username, password } };
  return createDockerConfig(name, { config: pulumi.secret(pulumi.jsonStringify({ auths })), namespace }, opts);
}

/** @param config Docker's config.json, with the passwords of registries @returns the Secret's name */
export function createDockerConfig(
  name: string,
  { config, namespace }: { config: pulumi.Input<string>; namespace: string },
  opts: pulumi.CustomResourceOptions,
): pulumi.Output<string> {
  const secret = new kubernetes.core.v1.Secret(
    name,
    {
      // Without a name of its own: another password is another secret, and the one before is there until nobody uses it.
      metadata: { namespace },
      type: "kubernetes.io/dockerconfigjson",
      stringData: { ".dockerconfigjson": config },
    },
    opts,
  );
  return secret.metadata.name;
}
