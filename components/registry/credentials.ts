import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../lib/errors.ts";
import type { ConfigRuntime } from "../../lib/pulumi-insides.ts";
import { isDockerHub } from "../../oci/reference.ts";
import type { Credentials } from "../../oci/registry.ts";
import { passwordKey, type StackConfig } from "../config/config.ts";
import { registryHost } from "./registry.ts";

/** @throws UserError when the password stands in the stack's file as plain text */
export function readPassword(): pulumi.Output<string> {
  requireSecretPassword();
  return new pulumi.Config("meshup").requireSecret(passwordKey);
}

/**
 * What this machine may read a registry with: what `meshup:registry` says, of that registry alone.
 * @returns takes a registry's host, with its port
 */
export function registryCredentials({ registry }: Pick<StackConfig, "registry">) {
  return (host: string): Credentials | undefined => {
    if (registry?.username === undefined) return undefined;
    const hosts = [registry.address, registry.push ?? registry.address].map(registryHost);
    if (!hosts.some((one) => one === host || (isDockerHub(one) && isDockerHub(host)))) return undefined;
    requireSecretPassword();
    const { allConfig } = pulumi.runtime as typeof pulumi.runtime & ConfigRuntime;
    return { username: registry.username, password: allConfig()[`meshup:${passwordKey}`] ?? "" };
  };
}

function requireSecretPassword(): void {
  const { isConfigSecret } = pulumi.runtime as typeof pulumi.runtime & ConfigRuntime;
  if (!isConfigSecret(`meshup:${passwordKey}`))
    throw new UserError(
      `meshup:${passwordKey} stands in Pulumi.${pulumi.getStack()}.yaml as plain text: take it out, and \`pulumi config set --secret meshup:${passwordKey}\` puts it there encrypted (a password that others have seen is better changed)`,
    );
}
