import * as pulumi from "@pulumi/pulumi";
import type { DeclaredEnv } from "./declared.ts";

/** Variables with their values; a secret of the stack's configuration stays one. */
export function environment(env: DeclaredEnv): Record<string, pulumi.Input<string>> {
  const config = new pulumi.Config("meshup");
  return Object.fromEntries(
    Object.entries(env).map(([name, value]) => [
      name,
      typeof value === "string" ? value : config.requireSecret(value.secret),
    ]),
  );
}
