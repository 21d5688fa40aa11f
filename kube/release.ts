/** Checks whether all objects of a Helm release exist as Helm created them. */
import { gunzipSync } from "node:zlib";
import { parseAllDocuments } from "yaml";
import type { KubeApi, KubeObject } from "./api.ts";
import { isMadeBy } from "./certificates.ts";
import { firstUnmet } from "./difference.ts";
import { nameOf, type ObjectLists, type ObjectRef } from "./objects.ts";

/** A release, as recorded in the stack's state. */
export interface RecordedRelease {
  urn: string;
  name: string;
  namespace: string;
  /** Its objects by kind, as Pulumi's provider lists them: `{ "Deployment.apps/apps/v1": ["NAMESPACE/NAME"] }`. */
  resourceNames: Record<string, string[]>;
}

/** A release that differs from its record. `gone`: Helm has no record of it. */
export interface ReleaseDrift {
  release: RecordedRelease;
  what: "gone" | "broken";
  /** In words, a line for each object. */
  text: string[];
  /** An object that its hooks created is missing. */
  hooks?: boolean;
}

type LiveObject = KubeObject & Record<string, unknown>;

export async function releaseDrift(
  api: KubeApi,
  lists: ObjectLists,
  releases: RecordedRelease[],
): Promise<ReleaseDrift[]> {
  const found = await Promise.all(
    releases.map(async (release): Promise<ReleaseDrift[]> => {
      const storage = await storageOf(lists, release);
      if (!storage) return [{ release, what: "gone", text: [`Helm's release ${release.name} is gone`] }];
      const faults = await faultsOf(api, lists, release, storage);
      const hooks = faults.some((fault) => fault.hooks === true);
      return faults.length > 0 ? [{ release, what: "broken", text: faults.map(({ text }) => text), hooks }] : [];
    }),
  );
  return found.flat();
}

/** Helm's stored record of a release's newest revision. */
async function storageOf(
  lists: ObjectLists,
  { name, namespace }: RecordedRelease,
): Promise<(ObjectRef & KubeObject) | undefined> {
  const kinds = ["Secret", "ConfigMap"].map((kind) => ({ apiVersion: "v1", kind, namespace }));
  for (const kind of kinds) {
    const all = (await lists.all(kind)).filter(
      ({ metadata: { labels } }) => labels?.owner === "helm" && labels.name === name,
    );
    const revision = ({ metadata }: KubeObject) => Number(metadata.labels?.version);
    const newest = all.sort((a, b) => revision(a) - revision(b)).at(-1);
    if (newest) return { ...newest, ...kind, name: newest.metadata.name };
  }
  return undefined;
}

interface Fault {
  text: string;
  hooks?: boolean;
}

async function faultsOf(
  api: KubeApi,
  lists: ObjectLists,
  release: RecordedRelease,
  storage: ObjectRef & KubeObject,
): Promise<Fault[]> {
  const deployedAt = deploymentTime(storage);
  let manifest: Promise<Map<string, unknown>> | undefined;
  const asMade = async (ref: ObjectRef) => {
    manifest ??= manifestOf(api, lists, storage);
    return (await manifest).get(keyOf(ref)) as LiveObject | undefined;
  };
  const faults = objectsOf(release).map(async (ref): Promise<Fault[]> => {
    const gone: Fault[] = [{ text: `${nameOf(ref)} is gone` }];
    const live = await lists.find(ref);
    const isPodOwner = ["Deployment", "DaemonSet", "StatefulSet"].includes(ref.kind);
    if (!live || live.metadata.deletionTimestamp !== undefined) {
      const made = isPodOwner ? await asMade(ref) : undefined;
      const missing = made ? await missingMounts(lists, ref, made) : [];
      return [...gone, ...missing];
    }
    const touched = wasTouched(live, deployedAt);
    if (!isPodOwner && !touched) return [];
    const now = await api.get<LiveObject>((await lists.pathOf(ref)) as string);
    if (!now) return gone;
    if (isPodOwner) {
      const missing = await missingMounts(lists, ref, now);
      if (missing.length > 0) return missing;
      if ((now.spec as { replicas?: number }).replicas === 0)
        return [{ text: `${nameOf(ref)} has been scaled to nothing` }];
    }
    if (!touched) return [];
    const how = firstUnmet(await asMade(ref), now);
    return how === undefined ? [] : [{ text: `${nameOf(ref)} has been changed by hand: ${how}` }];
  });
  return (await Promise.all([...faults, faultsBeside(api, lists, release)])).flat();
}

/** A release's controllers make deployments, too. The Secrets that these need were made by its hooks. */
async function faultsBeside(api: KubeApi, lists: ObjectLists, release: RecordedRelease): Promise<Fault[]> {
  const kind = { apiVersion: "apps/v1", kind: "Deployment", namespace: release.namespace };
  const own = programsOf(release);
  const made = (await lists.all(kind)).filter(
    ({ metadata }) => !own.includes(metadata.name) && isMadeBy(own, metadata),
  );
  const found = made.map(async ({ metadata: { name } }) => {
    const ref = { ...kind, name };
    const now = await api.get<LiveObject>((await lists.pathOf(ref)) as string);
    return now ? missingMounts(lists, ref, now) : [];
  });
  return (await Promise.all(found)).flat().filter(({ hooks }) => hooks);
}

/** Names of the release's deployments, which their programs have, too. */
export function programsOf(release: RecordedRelease): string[] {
  return objectsOf(release).flatMap(({ kind, name }) => (kind === "Deployment" ? [name] : []));
}

/** `"Deployment.apps/apps/v1": ["ns/name"]`; an object that its chart gives no namespace is in the release's. */
export function objectsOf({
  namespace,
  resourceNames,
}: Pick<RecordedRelease, "namespace" | "resourceNames">): ObjectRef[] {
  return Object.entries(resourceNames).flatMap(([type, names]) => {
    const [groupKind = "", ...version] = type.split("/");
    const kind = groupKind.split(".")[0] as string;
    return names.map((full) => {
      const [name, own = namespace] = full.split("/").reverse() as [string, string?];
      return { apiVersion: version.join("/"), kind, namespace: own, name };
    });
  });
}

/**
 * Controllers of Kubernetes and of the meshes complete the charts' objects. Helm's own writes are those of the stack.
 */
const controllers = /^(pulumi|helm|kube-|pilot|istio|envoy-gateway|cluster-|cert|metrics)/;

/** Tells whether anyone except a controller has written to an object since its release was deployed. */
function wasTouched({ metadata }: KubeObject, deployedAt: number): boolean {
  return (metadata.managedFields ?? []).some(
    ({ manager = "", time = "", subresource }) =>
      subresource !== "status" && !controllers.test(manager) && Date.parse(time) > deployedAt,
  );
}

/** Milliseconds since 1970, to the second. */
function deploymentTime({ metadata }: KubeObject): number {
  const modified = Number(metadata.labels?.modifiedAt) * 1000;
  return modified || Date.parse(metadata.creationTimestamp ?? "");
}

/**
 * The manifest does not contain the objects that a chart's hooks create. Pods that need them cannot start again without
 * them.
 */
async function missingMounts(lists: ObjectLists, owner: ObjectRef, { spec }: LiveObject): Promise<Fault[]> {
  type Source = { name?: string; secretName?: string; optional?: boolean };
  type Volume = { secret?: Source; configMap?: Source };
  const { template } = spec as { template?: { spec?: { volumes?: Volume[] } } };
  const refs = (template?.spec?.volumes ?? []).flatMap(({ secret, configMap }) => [
    ...(secret?.secretName && !secret.optional ? [{ kind: "Secret", name: secret.secretName }] : []),
    ...(configMap?.name && !configMap.optional ? [{ kind: "ConfigMap", name: configMap.name }] : []),
  ]);
  const found = refs.map(async ({ kind, name }) => {
    const ref = { apiVersion: "v1", kind, namespace: owner.namespace, name };
    if (await lists.find(ref)) return [];
    return [{ text: `${nameOf(ref)} is gone, which ${owner.name} needs`, hooks: kind === "Secret" }];
  });
  return (await Promise.all(found)).flat();
}

const keyOf = ({ kind, name }: Pick<ObjectRef, "kind" | "name">) => `${kind} ${name}`;

/** The release's objects as the chart has made them. Helm keeps them in JSON, compressed, in base64; a Secret adds its own. */
async function manifestOf(api: KubeApi, lists: ObjectLists, storage: ObjectRef): Promise<Map<string, unknown>> {
  const stored = await api.get<{ data?: { release?: string } }>((await lists.pathOf(storage)) as string);
  const text = stored?.data?.release ?? "";
  const encoded = storage.kind === "Secret" ? Buffer.from(text, "base64").toString() : text;
  return parseRelease(encoded);
}

/** @param encoded Helm's record of a release */
export function parseRelease(encoded: string): Map<string, unknown> {
  const { manifest } = JSON.parse(gunzipSync(Buffer.from(encoded, "base64")).toString()) as { manifest: string };
  const objects = parseAllDocuments(manifest).map((document) => document.toJS() as LiveObject & { kind: string });
  return new Map(
    objects.flatMap((object) =>
      object?.metadata ? [[keyOf({ kind: object.kind, name: object.metadata.name }), object]] : [],
    ),
  );
}
