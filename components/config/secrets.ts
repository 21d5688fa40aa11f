/** Secrets of the stack's configuration: wherever their text goes, it goes there as a secret. */
import * as pulumi from "@pulumi/pulumi";
import type { Path } from "../../lib/numbers.ts";
import { inJson } from "../../lib/redact.ts";
import { keyPath } from "../../lib/stack-file.ts";
import { Secrets } from "../../provider/resources.ts";
import { filterKeys } from "../mesh/index.ts";

export interface Secret {
  /** Where it stands, for people: `filter "custom-header": config.x-key`, `meshup:registry.username`. */
  key: string;
  value: string;
  /** Text that has it in it, where it is too short to be looked for by itself: a filter's whole configuration. */
  within?: string;
}

/** What of a declared filter is known to everybody: no secret even where Pulumi tells only that the filters have one. */
const openKeys = ["name", "module", "script", "root", "target", "failure", "delivery", ...Object.keys(filterKeys)];

/**
 * @param values what stands under `meshup:`, by key, decoded
 * @param isSecret whether Pulumi says that there is a secret under a key
 * @param places where the stack's file has secrets, if they come from there
 */
export function secretsOf(
  values: Record<string, unknown>,
  isSecret: (key: string) => boolean,
  places: Path[],
): Secret[] {
  return Object.keys(values).flatMap((key) => {
    if (!isSecret(key)) return [];
    const known = places.filter(([first]) => first === key);
    const found = known.length > 0 ? known : leavesOf(values[key], [key]).filter((path) => !isOpen(path));
    return found.flatMap((path) => secretAt(values, path));
  });
}

function leavesOf(value: unknown, path: Path): Path[] {
  if (typeof value !== "object" || value === null) return [path];
  const entries = Array.isArray(value) ? value.map((item, i) => [i, item] as const) : Object.entries(value);
  return entries.flatMap(([key, inner]) => leavesOf(inner, [...path, key]));
}

const isOpen = ([first, , third]: Path) => first === "filters" && openKeys.includes(String(third));

function secretAt(values: Record<string, unknown>, path: Path): Secret[] {
  const at = (path: Path) =>
    path.reduce<unknown>((value, key) => (value as Record<string, unknown> | undefined)?.[key], values);
  const value = at(path);
  if (value === undefined || value === null) return [];
  if (typeof value === "object") return leavesOf(value, path).flatMap((leaf) => secretAt(values, leaf));
  const secret: Secret = { key: `meshup:${keyPath(path)}`, value: String(value) };
  if (path[0] !== "filters" || typeof path[1] !== "number") return [secret];
  const filter = at(path.slice(0, 2)) as { name?: unknown; config?: unknown };
  if (typeof filter.name === "string") secret.key = `filter "${filter.name}": ${keyPath(path.slice(2))}`;
  if (path[2] === "config" && typeof filter.config === "object") secret.within = JSON.stringify(filter.config);
  return [secret];
}

/** Those of the secrets that a text has in it. A short one would be found in anything: it has to be the whole text. */
export function secretsIn(text: string, secrets: Secret[]): Secret[] {
  return secrets.filter(({ value, within }) => {
    if (value === "") return false;
    if (text === value || (within !== undefined && holds(text, within))) return true;
    return value.length >= 4 && holds(text, value);
  });
}

const holds = (text: string, part: string) => text.includes(part) || text.includes(inJson(part));

/**
 * The same value, with all that has a secret in it marked as one. Where Pulumi does not know the value yet, it is looked
 * at once it does.
 * @param onFound called for each secret that is found
 */
export function markSecrets<T>(value: T, secrets: Secret[], onFound: (secret: Secret) => void = () => {}): T {
  const look = (text: string) => {
    const found = secretsIn(text, secrets);
    found.forEach(onFound);
    return found.length > 0;
  };
  const hasSecret = (known: unknown): boolean => {
    if (typeof known === "string") return look(known);
    if (typeof known !== "object" || known === null) return false;
    return Object.values(known).filter(hasSecret).length > 0;
  };
  const mark = (value: unknown): unknown => {
    if (typeof value === "string") return look(value) ? pulumi.secret(value) : value;
    if (value instanceof Promise) return mark(pulumi.output(value));
    if (pulumi.Output.isInstance(value))
      return value.apply((known) => (hasSecret(known) ? pulumi.secret(known) : pulumi.output(known)));
    if (Array.isArray(value)) return value.map(mark);
    if (!isPlain(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, mark(inner)]));
  };
  return mark(value) as T;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/**
 * From here on every resource that is given a secret keeps it as one in its state, whoever makes it. An object of a cluster
 * has it in plain text there, unless it is a Secret: that is said, once for each secret and kind of object.
 */
export function keepSecrets(secrets: Secret[]): void {
  if (secrets.length === 0) return;
  const told = new Set<string>();
  pulumi.runtime.registerStackTransformation(({ type, name, props, opts, resource }) => {
    const tell = (secret: Secret) => {
      if (!type.startsWith("kubernetes:") || type === "kubernetes:core/v1:Secret") return;
      const kind = typeof props.kind === "string" ? props.kind : type.split(":").at(-1);
      if (told.has(`${secret.key} ${kind}`)) return;
      told.add(`${secret.key} ${kind}`);
      pulumi.log.warn(
        `${secret.key} is a secret, and stands in plain text in the ${kind} ${name}: whoever may read that in the cluster can read it`,
        resource,
      );
    };
    return { props: markSecrets(props, secrets, tell), opts };
  });
}

/** What commands are not to print, as it is known to the state, whatever becomes of the update: these and earlier ones. */
export function rememberSecrets(secrets: Secret[]): pulumi.Output<string[]> {
  return new Secrets("secrets", { values: pulumi.secret(secrets.map(({ value }) => value)) }).known;
}
