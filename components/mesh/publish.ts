import { readFileSync } from "node:fs";
import { relative, resolve } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { imageReference } from "../config/overrides.ts";
import type { Filter } from "../filter/filter.ts";
import { filterImage } from "../registry/image.ts";
import type { Registry } from "../registry/registry.ts";
import { nodeImage, ServiceCode } from "../workloads/kubernetes/service-code.ts";
import { namespace } from "./manifest.ts";
import type { MeshSettings } from "./mesh.ts";
import { ModuleServer } from "./module-server.ts";

/** Where a proxy, or its control plane, gets a filter's code. */
export type Code =
  /** `reference`: `registry.localhost:5000/meshup/filter@sha256:…`; `digest`: the manifest's, `sha256:…`. */
  | { type: "image"; reference: string; digest: string; pullSecret?: string }
  /** `sha256`: the module's, hex. */
  | { type: "http"; url: string; sha256: string }
  | { type: "lua"; script: string };

export interface PublishArgs {
  config: Pick<MeshSettings, "images">;
  filters: Filter[];
  /** Where filters' images go. */
  registry: Registry;
  /** Name of the secret that filters' images are pulled with. */
  pullSecret?: pulumi.Output<string>;
}

/**
 * An image for each module, however many filters use it; modules by HTTP are served in the cluster, scripts are text.
 *
 * @returns the code of each filter whose delivery is `image`, `http` or `lua`; known once it can be had
 */
export function publishModules(args: PublishArgs, opts: pulumi.ComponentResourceOptions) {
  const { config, filters, registry, pullSecret } = args;
  const by = (how: string) => filters.filter((f) => f.delivery === how);

  refuseClashes(filters);
  const image = perModule((name, { file, digest }) => filterImage(registry, name, { file, digest }, opts));
  const served = by("http");
  const serverCode = served.length > 0 ? createServerCode() : undefined;
  const server = perModule((name, { declaration, file, digest }) => {
    const { program } = serverCode as ServiceCode;
    return new ModuleServer(name, { program, filter: declaration.name, file, digest }, opts);
  });

  const codes = new Map<Filter, pulumi.Output<Code>>();
  for (const filter of by("image")) {
    const { reference, digest } = image(filter);
    codes.set(filter, pulumi.output({ type: "image" as const, reference, digest, pullSecret }));
  }
  for (const filter of served) {
    const { url } = server(filter);
    codes.set(filter, pulumi.output({ type: "http" as const, url, sha256: filter.digest }));
  }
  for (const filter of by("lua"))
    codes.set(
      filter,
      filter.file.apply((path): Code => ({ type: "lua", script: readFileSync(path, "utf8") })),
    );
  return codes;

  function createServerCode(): ServiceCode {
    return new ServiceCode("modules", { namespace, image: imageReference(config, nodeImage) }, opts);
  }
}

/** Made by the first filter of a module, and the same for the others of it. */
function perModule<T>(make: (name: string, filter: Filter) => T): (filter: Filter) => T {
  const made = new Map<string, T>();
  return (filter) => {
    const name = imageName(filter.declaration.module as string);
    const one = made.get(name) ?? make(name, filter);
    made.set(name, one);
    return one;
  };
}

/** The first filter of each module (and of each other thing that tells them apart). */
export function oncePerModule(filters: Filter[], key: (filter: Filter) => string = () => ""): Filter[] {
  const first = new Map<string, Filter>();
  for (const filter of filters) {
    const id = `${key(filter)} ${moduleOf(filter)}`;
    if (!first.has(id)) first.set(id, filter);
  }
  return [...first.values()];
}

/** A module's absolute path, however it was written. */
const moduleOf = ({ declaration }: Filter) => resolve(root, declaration.module as string);

/** `./filters/my_filter.wasm`, or its absolute path → `filters-my-filter-wasm`, as images are named. */
export function imageName(module: string): string {
  const plain = relative(root, resolve(root, module))
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-");
  return plain.replace(/^-+|-+$/g, "") || "filter";
}

/**
 * Two modules of one name would have one image.
 * @throws UserError that names all such
 */
export function refuseClashes(filters: Filter[]): void {
  const paths = new Map<string, Set<string>>();
  for (const filter of filters.filter(({ declaration }) => declaration.module !== undefined)) {
    const name = imageName(filter.declaration.module as string);
    paths.set(name, (paths.get(name) ?? new Set()).add(moduleOf(filter)));
  }
  const clashes = [...paths].filter(([, same]) => same.size > 1);
  if (clashes.length === 0) return;
  const lines = clashes.map(
    ([name, same]) =>
      `meshup:filters: the modules ${[...same].join(" and ")} would both be named ${name} as images: rename one of them`,
  );
  throw new UserError(lines.join("\n"));
}
