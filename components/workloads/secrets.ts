import { isMapping } from "../../lib/mapping.ts";
import type { Problem } from "./checks.ts";

/** A place where a workload names a secret of the stack's configuration. */
interface Use {
  path: PropertyKey[];
  key: string;
}

/** Every `{ secret: KEY }` of the workloads: in `env`, and as `pullSecret`. @param workloads as they are written */
function secretUses(workloads: unknown): Use[] {
  return entriesOf(workloads).flatMap(([name, workload]) => {
    const { env, pullSecret } = isMapping(workload) ? workload : {};
    const places: [PropertyKey[], unknown][] = [
      ...entriesOf(env).map(([variable, value]): [PropertyKey[], unknown] => [["env", variable], value]),
      [["pullSecret"], pullSecret],
    ];
    return places.flatMap(([place, value]) =>
      isMapping(value) && typeof value.secret === "string"
        ? [{ path: ["workloads", name, ...place, "secret"], key: value.secret }]
        : [],
    );
  });
}

const entriesOf = (value: unknown) => (isMapping(value) ? Object.entries(value) : []);

/** The keys that workloads name, and that are no settings of the stack. */
export function secretKeys(workloads: unknown, settings: string[]): string[] {
  const keys = secretUses(workloads).map(({ key }) => key);
  return [...new Set(keys)].filter((key) => !settings.includes(key));
}

/**
 * Secrets that workloads name and that are not there, or are not secret.
 * @param workloads as they are written
 * @param settings the stack's own keys
 * @param isSecret of a key that has a value, whether it is kept as a secret; undefined where it has none
 */
export function secretProblems(
  workloads: unknown,
  settings: string[],
  isSecret: (key: string) => boolean | undefined,
): Problem[] {
  return secretUses(workloads).flatMap(({ path, key }): Problem[] => {
    const set = `\`pulumi config set --secret meshup:${key}\``;
    if (settings.includes(key)) return [{ path, message: `"${key}" is a setting of the stack: choose another key` }];
    if (!/^[A-Za-z0-9_.-]+$/.test(key))
      return [{ path, message: "a key has letters, digits, dots, dashes and underscores" }];
    const kept = isSecret(key);
    if (kept === undefined) return [{ path, message: `meshup:${key} is not set: ${set}` }];
    return kept
      ? []
      : [{ path, message: `meshup:${key} is not kept as a secret: take it out of the file, and then ${set}` }];
  });
}
