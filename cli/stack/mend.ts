/** `npm start` looks into the stack's cluster before the engine goes by the state, and mends what is no longer as it was made. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { docker } from "../../components/cluster/docker.ts";
import { localCluster } from "../../components/cluster/index.ts";
import type { Repair } from "../../components/cluster/repair.ts";
import type { KubeApi } from "../../kube/api.ts";
import type { Drift, RecordedObject } from "../../kube/drift.ts";
import type { ObjectLists } from "../../kube/objects.ts";
import type { RecordedRelease, ReleaseDrift } from "../../kube/release.ts";
import { UserError } from "../../lib/errors.ts";
import { httpRequest } from "../../lib/http.ts";
import { stateDir } from "../../lib/paths.ts";
import { clusterInspectorOf, placeOf, type StackView, viewOf } from "../inspect/cluster.ts";
import { comingUp, restartOf, waitUntilUp } from "../inspect/coming-up.ts";
import type { Terminal } from "../output/terminal.ts";
import { backendFolder } from "./backend.ts";
import { forget, strandedResources } from "./forget.ts";
import { type Deployment, readStateFile, type Stack, type StateResource } from "./stack.ts";
import { refresh } from "./update.ts";

/** What the `up` that follows is to do about it. */
export interface Mending {
  /** URNs of resources that are made anew. */
  replace: string[];
  repair: Repair;
  /** What was found, in words. */
  found: string[];
}

const nothing: Mending = { replace: [], repair: { releases: [] }, found: [] };

/** How long an object may take that is on its way out. */
const patienceMs = 180_000;
/** A node that was started again within this time may have pods that were not. */
const freshMs = 300_000;

/** Mends what can be mended here, brings the state in line, and leaves the rest to the `up`. */
export async function mend(stack: Stack, terminal: Terminal): Promise<Mending> {
  if ((stack.config["meshup:cluster"] ?? localCluster) === localCluster) return nothing; // the provider looks at its processes itself
  const deployment = await deploymentOf(stack);
  if (!deployment) return nothing;
  const view = viewOf(stack.name, deployment);
  if (await forgetStranded(stack, terminal, deployment, view)) return nothing;
  const place = await placeOf(view);
  if (!place) return nothing;
  const api = await answeringApi(place.kubeconfig, view, terminal);
  if (!api) return nothing; // the program makes the cluster run, or makes another one

  const [{ lists, objects, releases }, images] = await Promise.all([
    look(api, deployment),
    missingImages(view, deployment),
  ]);
  const found = [...textsOf({ objects, releases }), ...images.map(({ text }) => text)];
  if (found.length === 0) return nothing;
  terminal.note(["In the cluster, but not as this stack has made it:", ...found.map((text) => `  ${text}`)].join("\n"));
  await putAllBack(api, lists, objects, releases.length > 0);
  const gone = releases.filter(({ what }) => what === "gone").map(({ release }) => release.urn);
  const urns = [...objects.map(({ object }) => object.urn), ...gone];
  if (urns.length > 0) await refresh(stack, terminal, urns);
  const broken = releases.filter(({ what }) => what === "broken").map(({ release }) => release);
  for (const { release, hooks } of releases) if (hooks) await renewCertificatesOf(api, release);
  return {
    replace: images.map(({ urn }) => urn),
    repair: { releases: broken.map(({ urn }) => urn.split("::").at(-1) as string) },
    found,
  };
}

async function renewCertificatesOf(api: KubeApi, release: RecordedRelease): Promise<void> {
  const [{ programsOf }, { renewCertificates }] = await Promise.all([
    import("../../kube/release.ts"),
    import("../../kube/certificates.ts"),
  ]);
  await renewCertificates(api, release.namespace, programsOf(release));
}

/** The state, from its file where there is one: the engine takes a second to tell it. */
function deploymentOf(stack: Stack): Promise<Deployment | undefined> {
  const { backend, project, name } = stack;
  const folder = backend.kind === "clone" ? join(stateDir, "state") : backendFolder(backend);
  const file = folder && join(folder, ".pulumi", "stacks", project, `${name}.json`);
  return file !== undefined && existsSync(file) ? Promise.resolve(readStateFile(file)) : stack.export();
}

/** @returns whether there was anything of a cluster that has gone */
async function forgetStranded(
  stack: Stack,
  terminal: Terminal,
  deployment: Deployment,
  view: StackView,
): Promise<boolean> {
  const current = await (await clusterInspectorOf(view))?.identifier(view);
  const stranded = current === undefined ? [] : strandedResources(deployment, current);
  if (current === undefined || stranded.length === 0) return false;
  terminal.note(`Forgetting ${stranded.length} resources of a cluster that has gone`);
  await stack.edit((deployment) => {
    forget(deployment, strandedResources(deployment, current));
    return true;
  });
  return true;
}

/**
 * The API server of the stack's cluster. A node that has stopped is started, and one that is coming up is waited for, with
 * all that is in it: until then, nobody can tell what has gone.
 * @returns undefined where there is no such cluster, or none that is about to answer
 */
async function answeringApi(kubeconfig: string, stack: StackView, terminal: Terminal): Promise<KubeApi | undefined> {
  const inspector = await clusterInspectorOf(stack);
  const node = await inspector?.node(stack);
  if (inspector && !node) return undefined; // it has gone
  const stopped = node && !node.running;
  if (stopped) {
    terminal.note(`Starting the cluster's node, which had ${node.paused ? "been paused" : "stopped"}`);
    await docker([node.paused ? "unpause" : "start", node.id]);
  }
  const restarted = node && (stopped ? Date.now() : restartOf(node));
  if (restarted !== undefined && Date.now() - restarted < freshMs)
    await waitUntilUp(() => comingUp(stack, { freshMs: 0, missing: false }), terminal);
  const { KubeApi } = await import("../../kube/api.ts");
  try {
    const api = await KubeApi.open(kubeconfig);
    await api.get("/version");
    return api;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

interface Found {
  objects: Drift[];
  releases: ReleaseDrift[];
}

async function look(api: KubeApi, deployment: Deployment): Promise<Found & { lists: ObjectLists }> {
  const [{ ObjectLists }, { driftOf }, { releaseDrift }] = await Promise.all([
    import("../../kube/objects.ts"),
    import("../../kube/drift.ts"),
    import("../../kube/release.ts"),
  ]);
  const lists = new ObjectLists(api);
  const [objects, releases] = await Promise.all([
    driftOf(api, lists, recordedObjects(deployment)),
    releaseDrift(api, lists, recordedReleases(deployment)),
  ]);
  return { lists, objects, releases };
}

const textsOf = ({ objects, releases }: Found) => [
  ...objects.map(({ text }) => text),
  ...releases.flatMap(({ text }) => text),
];

/** What of a stack's objects is no longer in its cluster as it was made, a line for each. */
export async function driftIn(api: KubeApi, deployment: Deployment): Promise<string[]> {
  return textsOf(await look(api, deployment));
}

const inUse = ({ custom, external, delete: replaced }: StateResource) => custom && !external && !replaced;
const releaseType = "kubernetes:helm.sh/v3:Release";

/** The objects that the stack has made in its cluster. */
export function recordedObjects({ resources = [] }: Deployment): RecordedObject[] {
  return resources.flatMap((resource) => {
    const { urn, type, inputs = {}, outputs } = resource;
    if (!inUse(resource) || !type.startsWith("kubernetes:") || type === releaseType) return [];
    const object = outputs as unknown as RecordedObject["object"] | undefined;
    const { apiVersion, kind } = outputs as { apiVersion?: string; kind?: string };
    if (!object?.metadata?.name || !apiVersion || !kind) return [];
    const { namespace, name } = object.metadata;
    const isPatch = type.endsWith("Patch") && !kind.endsWith("Patch");
    return [{ urn, apiVersion, kind, namespace, name, inputs, object, isPatch }];
  });
}

/** Helm's releases that the stack has made. */
export function recordedReleases({ resources = [] }: Deployment): RecordedRelease[] {
  return resources
    .filter((r) => inUse(r) && r.type === releaseType)
    .map(({ urn, outputs = {} }) => {
      const { name, namespace, resourceNames = {} } = outputs as unknown as RecordedRelease;
      return { urn, name, namespace, resourceNames };
    });
}

/** Images that the stack has pushed to its own registry, which has not got them any more. */
async function missingImages(
  stack: StackView,
  { resources = [] }: Deployment,
): Promise<{ urn: string; text: string }[]> {
  const registry = (await clusterInspectorOf(stack))?.registry(stack);
  if (!registry) return [];
  const { port } = new URL(registry.url);
  const images = resources.filter((r) => inUse(r) && r.type === "docker:index/image:Image");
  const looked = images.map(async ({ urn, outputs }) => {
    const reference = String(outputs?.repoDigest);
    const [, repository, digest] =
      new RegExp(`^(?:localhost|127\\.0\\.0\\.1):${port}/(.+)@(sha256:[0-9a-f]+)$`).exec(reference) ?? [];
    if (repository === undefined) return [];
    const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
    const url = `${registry.url}/v2/${repository}/manifests/${digest}`;
    // A registry that does not answer at all is the program's to make anew.
    const answer = await httpRequest({ url, method: "HEAD", headers: { accept }, timeoutMs: 5000 }).catch(
      () => undefined,
    );
    return answer?.status === 404 ? [{ urn, text: `The registry has lost ${repository}@${digest}` }] : [];
  });
  return (await Promise.all(looked)).flat();
}

async function putAllBack(
  api: KubeApi,
  lists: ObjectLists,
  drifted: Drift[],
  controllersBroken: boolean,
): Promise<void> {
  const { putBack } = await import("../../kube/drift.ts");
  for (const { object, what } of drifted) if (what === "changed") await putBack(api, lists, object, controllersBroken);
  await Promise.all(drifted.map(({ object }) => awaitDeletion(api, lists, object)));
}

/** In the place of an object that is on its way out, none can be made. */
async function awaitDeletion(api: KubeApi, lists: ObjectLists, object: RecordedObject): Promise<void> {
  const path = await lists.pathOf(object);
  if (path === undefined) return;
  const end = Date.now() + patienceMs;
  for (;;) {
    const live = await api.get<RecordedObject["object"]>(path);
    if (live?.metadata.deletionTimestamp === undefined) return;
    if (Date.now() > end)
      throw new UserError(
        `${object.kind} ${object.name} is being deleted, and stays: it waits for ${live.metadata.finalizers?.join(", ") || "something in it"}`,
      );
    await sleep(500);
  }
}
