import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { messageOf, UserError } from "../../lib/errors.ts";
import { readText } from "../../lib/files.ts";
import { root } from "../../lib/paths.ts";
import { namesHost } from "../../oci/reference.ts";
import { problemsOf } from "./problems.ts";

const address = z.string().min(1);

/** What to take in place of what the internet has: behind a company's mirror, or without the internet. */
export const overridesSchema = z.strictObject({
  /** Image of kind's nodes. */
  nodeImage: address.optional(),
  /** Chart name → path of a folder or `.tgz`, or address: `oci://…`, `https://…tgz`. */
  charts: z.record(z.string(), address).default({}),
  /** Repository as a chart or an API would name it (`docker.io/envoyproxy/envoy`) → the reference to use. */
  images: z.record(z.string(), address).default({}),
  /** Path or address of the Gateway API's definitions (`standard-install.yaml`). */
  gatewayApi: address.optional(),
  /** Istio's proxy is an upstream Envoy. */
  upstreamEnvoy: z.boolean().default(false),
});
export type Overrides = z.infer<typeof overridesSchema>;

/**
 * Puts what the file named by `MESHUP_OVERRIDES` says below a stack's configuration, which wins: key by key, and entry
 * by entry in `charts` and `images`. Paths of charts in the file are relative to it.
 *
 * @param values what stands under `meshup:` in Pulumi.STACK.yaml, by key, as `parseConfig` takes it
 * @throws UserError that names every problem of the file
 */
export function withOverrides(
  values: Record<string, string>,
  env: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const file = env.MESHUP_OVERRIDES;
  if (!file) return values;
  const overrides = Object.entries(readOverrides(resolve(root, file)));
  return { ...values, ...Object.fromEntries(overrides.map(([key, value]) => [key, below(values[key], value)])) };
}

/** One key of the file below the configuration's. What the configuration has wrong is `parseConfig`'s to say. */
function below(configured: string | undefined, override: unknown): string {
  if (configured === undefined) return typeof override === "string" ? override : JSON.stringify(override);
  if (typeof override !== "object") return configured;
  const entries = z.record(z.string(), z.unknown()).safeParse(parseJson(configured));
  return entries.success ? JSON.stringify({ ...override, ...entries.data }) : configured;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function readOverrides(path: string): Partial<Overrides> {
  const where = `MESHUP_OVERRIDES names ${path}, which`;
  let content: unknown;
  try {
    content = parse(readText(path)) ?? {};
  } catch (error) {
    throw new UserError(`${where} cannot be read: ${messageOf(error)}`);
  }
  const result = overridesSchema.safeParse(content, { reportInput: true });
  if (!result.success) {
    const problems = problemsOf(result.error).map((line) => line.replace(/^: /, ""));
    const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
    throw new UserError([`${where} has ${count}:`, ...problems].join("\n  "));
  }
  const given = Object.keys(content as object);
  const { charts, gatewayApi, ...rest } = result.data;
  const absolute = (place: string) => (isAddress(place) ? place : resolve(dirname(path), place));
  const all = {
    ...rest,
    charts: Object.fromEntries(Object.entries(charts).map(([name, chart]) => [name, absolute(chart)])),
    gatewayApi: gatewayApi && absolute(gatewayApi),
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => given.includes(key)));
}

/**
 * The image to use for one that a component names: the configured one for its repository, else itself. An override
 * without tag and digest keeps the tag and digest of what it stands for.
 *
 * @param image `docker.io/library/registry:3`; `registry:3` is the same
 */
export function imageReference({ images }: Pick<Overrides, "images">, image: string): string {
  const { repository, version } = splitImage(image);
  const override = Object.entries(images).find(([name]) => splitImage(name).repository === repository)?.[1];
  if (override === undefined) return repository + version;
  return splitImage(override).version ? override : override + version;
}

/**
 * An image reference in full. `node:22` → `docker.io/library/node` and `:22`.
 */
export function splitImage(image: string): { repository: string; version: string } {
  const [, name = image, version = ""] = /^(.+?)((?::[^/:@]+)?(?:@.+)?)$/.exec(image) ?? [];
  const full = namesHost(name) ? name : `docker.io/${name.includes("/") ? name : `library/${name}`}`;
  return { repository: full.replace(/^index\.docker\.io\//, "docker.io/"), version };
}

/** Where a chart comes from, as `kubernetes.helm.v3.Release` takes it. */
export interface ChartReference {
  /** Path, address, or a name in the repository of `repositoryOpts`. */
  chart: string;
  version?: string;
  repositoryOpts?: { repo: string };
}

/**
 * Where to take a chart from: the configured place, else the default. A repository's chart (`oci://…`) keeps its version
 * wherever it comes from; a path, or the address of an archive, is one version of it.
 */
export function chartReference(
  { charts }: Pick<Overrides, "charts">,
  name: string,
  standard: ChartReference,
): ChartReference {
  const override = charts[name];
  if (override === undefined) return standard;
  if (override.startsWith("oci://")) return { chart: override, version: standard.version };
  return { chart: isAddress(override) ? override : resolve(root, override) };
}

const isAddress = (chart: string) => /^[a-z]+:\/\//.test(chart);
