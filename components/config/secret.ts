import * as pulumi from "@pulumi/pulumi";

/** Whether Pulumi keeps a key's value as a secret. Its types leave it out; its own `Config` asks it too. */
export function isSecret(key: string): boolean {
  return (pulumi.runtime as unknown as { isConfigSecret(key: string): boolean }).isConfigSecret(key);
}
