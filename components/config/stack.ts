import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { root } from "../../lib/paths.ts";
import type { ConfigRuntime } from "../../lib/pulumi-insides.ts";
import { neverPrint } from "../../lib/redact.ts";
import { readStackFile, type StackFile } from "../../lib/stack-file.ts";
import { decode, ownValues, readConfig, type StackConfig } from "./config.ts";
import { type Secret, secretsOf } from "./secrets.ts";

/**
 * The configuration of the stack that runs, and what of it is secret.
 * @throws UserError that names every problem of it
 */
export function readStack(stack: string): { config: StackConfig; secrets: Secret[] } {
  const { allConfig, isConfigSecret } = pulumi.runtime as typeof pulumi.runtime & ConfigRuntime;
  const all = allConfig();
  const file = stackFile(stack);
  const values = Object.fromEntries(Object.entries(ownValues(all)).map(([key, text]) => [key, decode(text)]));
  const secrets = secretsOf(values, (key) => isConfigSecret(`meshup:${key}`), file?.secrets ?? []);
  neverPrint(secrets.map(({ value }) => value)); // also not in what is wrong with it
  return { config: readConfig(all, stack, file ? cameOtherwise(file, values) : [], isConfigSecret), secrets };
}

/**
 * What is not as the file has it. Under `npm start` Pulumi is given a copy that means the same to it; under the person's
 * own `pulumi up` it has read the file itself.
 */
function cameOtherwise({ problems, differences }: StackFile, values: Record<string, unknown>): string[] {
  const others = differences.filter(({ path, value }) => {
    const came = path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], values);
    return value === undefined ? came === undefined : came !== value;
  });
  return [...problems, ...others.map(({ message }) => message)];
}

/** None where Pulumi was given another one; the program is then the first to know what it is asked for. */
function stackFile(stack: string): StackFile | undefined {
  const path = join(root, `Pulumi.${stack}.yaml`);
  try {
    return existsSync(path) ? readStackFile(readFileSync(path, "utf8"), path) : undefined;
  } catch {
    return undefined;
  }
}
