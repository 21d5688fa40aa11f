import type { runtime as Runtime } from "@pulumi/pulumi";
import { isMapping, type Mapping } from "../../lib/mapping.ts";
import type { ConfigRuntime } from "../../lib/pulumi-insides.ts";
import { engineNamespace } from "../stack/files.ts";

/**
 * The engine was given the stack's configuration under another name (see `engineCopy`); from here on the program finds it
 * under `meshup:`, as it does under the person's own `pulumi up`.
 */
export function giveConfigItsName(runtime: Pick<typeof Runtime, "allConfig" | "setAllConfig">): void {
  const sdk = runtime as ConfigRuntime;
  const all = sdk.allConfig();
  const nameOf = (key: string) => key.replace(`${engineNamespace}:`, "meshup:");
  const isRenamed = (key: string) => nameOf(key) !== key;
  const config: Record<string, string> = {};
  const secrets = new Set<string>();
  // What Pulumi ESC gives stands under the name itself: the stack's file wins.
  for (const key of Object.keys(all).sort((a, b) => Number(isRenamed(a)) - Number(isRenamed(b)))) {
    const name = nameOf(key);
    config[name] = below(config[name], all[key] as string);
    if (sdk.isConfigSecret(key)) secrets.add(name);
  }
  sdk.setAllConfig(config, [...secrets]);
}

/** As Pulumi puts a stack's value above an environment's: mapping by mapping, and all else whole. */
function below(base: string | undefined, value: string): string {
  if (base === undefined) return value;
  const [under, over] = [base, value].map(mappingIn);
  return under && over ? JSON.stringify(merged(under, over)) : value;
}

function merged(under: Mapping, over: Mapping): Mapping {
  const entries = Object.entries(over).map(([key, value]) => {
    const base = under[key];
    return [key, isMapping(base) && isMapping(value) ? merged(base, value) : value];
  });
  return { ...under, ...Object.fromEntries(entries) };
}

function mappingIn(text: string): Mapping | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isMapping(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
