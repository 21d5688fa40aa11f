import * as pulumi from "@pulumi/pulumi";
import { sha256 } from "../../../lib/sha256.ts";
import type { DeploymentManifest } from "../../workloads/kubernetes/pod.ts";
import { moduleFileName } from "../module-data.ts";

/** A filter's module as pods have it mounted. */
export interface ModuleVolume {
  /** The filter that it is for. */
  filter: string;
  /** Name of the ConfigMap. */
  configMap: string;
  /** The module's sha256, hex. */
  digest: string;
}

/** The volume's, and the beginning of the ConfigMap's: both have 63 characters at most. */
export function volumeName(filter: string): string {
  const name = `wasm-${filter}`;
  if (name.length <= 50) return name;
  return `${name.slice(0, 41)}-${sha256(filter).slice(0, 8)}`;
}

const mountPath = (filter: string) => `/var/local/wasm/${filter}`;

/** The module's path in the proxy. */
export function modulePath({ filter, digest }: Pick<ModuleVolume, "filter" | "digest">): string {
  return `${mountPath(filter)}/${moduleFileName(digest)}`;
}

/** Says which module a pod has: a module's EnvoyFilter reaches only the pods that have that very one. */
export function moduleLabel({ filter, digest }: Pick<ModuleVolume, "filter" | "digest">) {
  return { name: `module.meshup.dev/${filter}`, value: digest.slice(0, 16) };
}

export function labelsOf(volumes: ModuleVolume[]): Record<string, string> {
  return Object.fromEntries(volumes.map(moduleLabel).map(({ name, value }) => [name, value]));
}

export function podVolume({ filter, configMap }: ModuleVolume) {
  return { name: volumeName(filter), configMap: { name: configMap } };
}

export function volumeMount({ filter }: Pick<ModuleVolume, "filter">) {
  return { name: volumeName(filter), mountPath: mountPath(filter), readOnly: true };
}

/** How a module gets into a sidecar: by patching what is injected, or through annotations that the injector reads. */
export type MountedBy = "configmap" | "volume";

export interface MountedModule {
  filter: string;
  by: MountedBy;
  volume: pulumi.Output<ModuleVolume>;
}

/** A deployment with modules in its pods' sidecars. A changed module is another label: the pods are replaced. */
export function withModules(deployment: DeploymentManifest, modules: MountedModule[]): DeploymentManifest {
  if (modules.length === 0) return deployment;
  const volumes = pulumi.all(modules.map(({ volume, by }) => volume.apply((volume) => ({ volume, by }))));
  return {
    ...deployment,
    spec: pulumi.all([deployment.spec, volumes]).apply(([spec, volumes]) => {
      const { template } = spec as { template: PodTemplate };
      return { ...spec, template: withVolumes(template, volumes) };
    }),
  } as DeploymentManifest;
}

interface PodTemplate {
  metadata: { labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: { containers: object[]; volumes?: object[] };
}

export function withVolumes(
  { metadata, spec }: PodTemplate,
  modules: { volume: ModuleVolume; by: MountedBy }[],
): PodTemplate {
  const annotated = modules.flatMap(({ volume, by }) => (by === "volume" ? [volume] : []));
  const patched = modules.flatMap(({ volume, by }) => (by === "configmap" ? [volume] : []));
  return {
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...labelsOf(modules.map(({ volume }) => volume)) },
      ...(annotated.length > 0 && { annotations: { ...metadata.annotations, ...annotations(annotated) } }),
    },
    spec: patched.length > 0 ? patchedSpec(spec, patched) : spec,
  };
}

/** https://istio.io/latest/docs/reference/config/annotations/ */
function annotations(volumes: ModuleVolume[]): Record<string, string> {
  const byName = (value: (volume: ModuleVolume) => { name: string }) =>
    JSON.stringify(
      Object.fromEntries(
        volumes.map(value).map(({ name, ...rest }) => {
          return [name, rest];
        }),
      ),
    );
  return {
    "sidecar.istio.io/userVolume": byName(podVolume),
    "sidecar.istio.io/userVolumeMount": byName(volumeMount),
  };
}

/** What the injector finds under the sidecar's name it merges into what it injects. */
function patchedSpec(spec: PodTemplate["spec"], volumes: ModuleVolume[]): PodTemplate["spec"] {
  const sidecar = { name: "istio-proxy", image: "auto", volumeMounts: volumes.map(volumeMount) };
  return {
    ...spec,
    containers: [...spec.containers, sidecar],
    volumes: [...(spec.volumes ?? []), ...volumes.map(podVolume)],
  };
}
