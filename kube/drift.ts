/** Finds the stack's objects that were deleted or changed in the cluster since the stack wrote them. */
import { messageOf, UserError } from "../lib/errors.ts";
import { ApiError, type KubeApi, type KubeObject } from "./api.ts";
import { firstDifference, firstUnmet } from "./difference.ts";
import { nameOf, type ObjectLists, type ObjectRef } from "./objects.ts";
import { restartedAt } from "./rollout.ts";

type Manifest = Record<string, unknown>;
type LiveObject = KubeObject & Manifest;

/** An object of the stack, as recorded in its state. */
export interface RecordedObject extends ObjectRef {
  urn: string;
  /** The requested object. */
  inputs: Manifest;
  /** The object on the API server when the stack last wrote it. */
  object: LiveObject;
  /** True if the stack only patches an object that belongs to others. */
  isPatch: boolean;
}

/** An object that is missing or changed. */
export interface Drift {
  object: RecordedObject;
  what: "gone" | "changed";
  /** In words: `EnvoyExtensionPolicy default/route-one has been changed: spec.wasm` */
  text: string;
}

/** How the engine marks a secret in its state. Its value cannot be compared. */
const secretMark = "4dabf18193072939515e22adb298388d";

/** Looks up each object. One or two lists are requested for each kind. */
export async function driftOf(api: KubeApi, lists: ObjectLists, objects: RecordedObject[]): Promise<Drift[]> {
  const found = await Promise.all(
    objects.map(async (object): Promise<Drift[]> => {
      const live = await lists.find(object);
      if (!live || live.metadata.deletionTimestamp !== undefined) {
        // The stack cannot create the object that the patch is applied to.
        return object.isPatch ? [] : [{ object, what: "gone", text: `${nameOf(object)} is gone` }];
      }
      const how = await changeOf(api, lists, object, live);
      return how === undefined
        ? []
        : [{ object, what: "changed", text: `${nameOf(object)} has been changed by hand: ${how}` }];
    }),
  );
  return found.flat();
}

/** The first field that differs. The content is requested only if the metadata do not show a difference. */
async function changeOf(
  api: KubeApi,
  lists: ObjectLists,
  recorded: RecordedObject,
  live: KubeObject,
): Promise<string | undefined> {
  const { inputs, object, isPatch } = recorded;
  const { labels, annotations } = (inputs.metadata ?? {}) as KubeObject["metadata"];
  const { metadata } = live;
  const unmet = firstUnmet({ metadata: { labels, annotations } }, { metadata });
  if (unmet !== undefined) return unmet;
  if (isPatch) return undefined;
  if (metadata.uid !== object.metadata.uid) return "it was made anew";
  const { generation, resourceVersion } = object.metadata;
  if (generation !== undefined && generation === metadata.generation) return undefined;
  if (resourceVersion === metadata.resourceVersion) return undefined;
  if (JSON.stringify(object).includes(secretMark)) return "its content";
  const path = await lists.pathOf(recorded);
  const now = path === undefined ? undefined : await api.get<LiveObject>(path);
  return now && firstDifference(contentOf(object, inputs), contentOf(now, inputs));
}

/** The part of an object that only the stack sets: without name, status, and fields that others may set. */
function contentOf(object: Manifest, inputs: Manifest): Manifest {
  const content = Object.fromEntries(
    Object.entries(object).filter(
      ([key]) => !["apiVersion", "kind", "metadata", "status"].includes(key) && !/^__/.test(key),
    ),
  );
  const { replicas, ...spec } = (content.spec ?? {}) as Manifest;
  if (replicas === undefined || typeof spec.template !== "object") return content;
  // Autoscalers and users may set the number of replicas. But zero replicas is a change: nothing would answer.
  const asked = (inputs.spec as Manifest | undefined)?.replicas;
  return {
    ...content,
    spec: {
      ...spec,
      template: withoutRestart(spec.template as Manifest),
      replicas: asked === undefined ? replicas === 0 : replicas,
    },
  };
}

/** Without the annotation of `kubectl rollout restart`: a restart by hand is no change of the object. */
function withoutRestart(template: Manifest): Manifest {
  const { metadata } = template as { metadata?: KubeObject["metadata"] };
  const { [restartedAt]: _, ...annotations } = metadata?.annotations ?? {};
  return { ...template, metadata: { ...metadata, annotations } };
}

/** What others lose with it: never deleted. */
const neverDeleted = ["CustomResourceDefinition", "Namespace"];

/** How often an object is written when its controller writes to it at the same time. */
const mostWrites = 5;

/**
 * Puts a changed object back in place: what the stack asks for is so again, and what somebody has added is gone. One that
 * cannot be put back (its fields are immutable, or its content is a secret) is deleted, for the stack to make it anew.
 * @param controllersBroken a release of the stack is broken, too: its webhook may be what refuses the change. The `up` that
 * follows mends the release first
 * @throws UserError where the API server refuses that for another reason
 */
export async function putBack(
  api: KubeApi,
  lists: ObjectLists,
  recorded: RecordedObject,
  controllersBroken = false,
): Promise<void> {
  const { inputs, isPatch } = recorded;
  const path = await lists.pathOf(recorded);
  if (path === undefined) return;
  if (isPatch) return api.patch(path, { metadata: inputs.metadata });
  if (JSON.stringify(inputs).includes(secretMark)) return api.delete(path);
  for (let write = 1; ; write++) {
    const live = await api.get<LiveObject>(path);
    if (!live) return;
    try {
      return await api.put(path, asAskedFor(live, inputs));
    } catch (error) {
      const status = error instanceof ApiError ? error.status : undefined;
      if (status === conflict && write < mostWrites) continue;
      const anew = status === invalid || (controllersBroken && status !== undefined && status >= 500);
      if (anew && !neverDeleted.includes(recorded.kind)) return api.delete(path);
      throw new UserError(
        `${nameOf(recorded)} has been changed by hand, and cannot be put back: ${messageOf(error)}. Put it back by hand, or delete it, and run the command again.`,
      );
    }
  }
}

/** HTTP status codes of the API server: a write in between, and a change that the object's kind does not allow. */
const [conflict, invalid] = [409, 422];

/** A live object with the content that is asked for, and no other. */
export function asAskedFor(live: LiveObject, inputs: Manifest): Manifest {
  const { apiVersion, kind, status } = live;
  const { managedFields: _, ...metadata } = live.metadata;
  const asked = inputs.metadata as KubeObject["metadata"];
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...content } = inputs;
  const [spec, before] = [content.spec, live.spec] as (Manifest | undefined)[];
  const scaled = typeof spec?.template === "object" && spec.replicas === undefined && before?.replicas;
  return {
    ...{ apiVersion, kind, ...(status !== undefined && { status }) },
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, ...asked.labels },
      annotations: { ...metadata.annotations, ...asked.annotations },
    },
    ...content,
    ...(scaled ? { spec: { ...spec, replicas: before?.replicas } } : {}),
  };
}
