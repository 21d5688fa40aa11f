import * as pulumi from "@pulumi/pulumi";
import { UserError } from "../../lib/errors.ts";
import { once } from "../../lib/once.ts";
import { imageReference } from "../config/overrides.ts";
import type { Module } from "../filter/code.ts";
import type { Filter, ModuleFilter } from "../filter/filter.ts";
import { filterImage } from "../registry/image.ts";
import type { Registry } from "../registry/registry.ts";
import { nodejsImage, ServiceCode } from "../workloads/kubernetes/service-code.ts";
import { namespace } from "./manifest.ts";
import type { MeshSettings } from "./mesh.ts";
import { ModuleServer } from "./module-server.ts";

/** Where a proxy, or its control plane, gets a module. */
export type PublishedModule =
  /** `reference`: `registry.localhost:5000/meshup/filter@sha256:…`; `digest`: the manifest's, `sha256:…`. */
  | { type: "image"; reference: string; digest: string; pullSecret?: string }
  /** `sha256`: the module's, hex. */
  | { type: "http"; url: string; sha256: string };

export interface PublishArgs {
  config: Pick<MeshSettings, "images">;
  filters: Filter[];
  /** Where filters' images go. */
  registry: Registry;
  /** Name of the secret that filters' images are pulled with. */
  pullSecret?: pulumi.Output<string>;
}

/**
 * An image for each module, however many filters use it; modules by HTTP are served in the cluster.
 *
 * @returns where the module of a filter is, known once it can be had; for filters whose delivery is `image` or `http`
 * @throws UserError where two modules would have one image
 */
export function publishModules(args: PublishArgs, opts: pulumi.ComponentResourceOptions) {
  const { config, filters, registry, pullSecret } = args;
  refuseClashes(modulesOf(filters));

  const image = perModule(({ module }) => filterImage(registry, module.slug, module, opts));
  const serverCode = once((name: "modules") => {
    return new ServiceCode(name, { namespace, image: imageReference(config, nodejsImage) }, opts);
  });
  const server = perModule(({ declaration, module: { slug, file, digest } }) => {
    const { program } = serverCode("modules");
    return new ModuleServer(slug, { program, filter: declaration.name, file, digest }, opts);
  });

  return (filter: ModuleFilter): pulumi.Output<PublishedModule> => {
    if (filter.delivery === "image") {
      const { reference, digest } = image(filter);
      return pulumi.output({ type: "image" as const, reference, digest, pullSecret });
    }
    if (filter.delivery === "http")
      return pulumi.output({ type: "http" as const, url: server(filter).url, sha256: filter.digest });
    throw new Error(`${filter.declaration.name} comes by ${filter.delivery}, and is published nowhere`);
  };
}

/** The first filter of a module makes it; other filters of the same module get the same one. */
function perModule<T>(make: (filter: ModuleFilter) => T): (filter: ModuleFilter) => T {
  const made = new Map<string, T>();
  return (filter) => {
    const one = made.get(filter.module.name) ?? make(filter);
    made.set(filter.module.name, one);
    return one;
  };
}

/** The filters that have modules. */
export function modulesOf(filters: Filter[]): ModuleFilter[] {
  return filters.filter((filter) => filter.delivery !== "lua");
}

/** The first filter of each module (and of each other thing that tells them apart). */
export function oncePerModule<F extends { module: Pick<Module, "name"> }>(
  filters: F[],
  key: (filter: F) => string = () => "",
): F[] {
  const first = new Map<string, F>();
  for (const filter of filters) {
    const id = `${key(filter)} ${filter.module.name}`;
    if (!first.has(id)) first.set(id, filter);
  }
  return [...first.values()];
}

/**
 * Two modules of one name would have one image.
 * @throws UserError that names all such
 */
export function refuseClashes(filters: { module: Pick<Module, "name" | "slug"> }[]): void {
  const names = new Map<string, Set<string>>();
  for (const { module } of filters) names.set(module.slug, (names.get(module.slug) ?? new Set()).add(module.name));
  const clashes = [...names].filter(([, same]) => same.size > 1);
  if (clashes.length === 0) return;
  const lines = clashes.map(
    ([slug, same]) =>
      `meshup:filters: the modules ${[...same].join(" and ")} would both be named ${slug} as images: rename one of them`,
  );
  throw new UserError(lines.join("\n"));
}
