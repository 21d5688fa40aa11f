/**
 * What a state holds of clusters that have gone, where the engine would ask them to delete it. The state itself is read for
 * it: no output tells of what an interrupted `up` has left.
 */
import type { Deployment, StateResource } from "./stack.ts";

/**
 * The engine drops what was in a cluster together with the cluster. What has outlived that in the state (an `up` of an
 * earlier version, or one of the images alone) it would try to delete in a cluster that does not answer any more.
 * @param current `clusterIdentifier` of the cluster that is there
 * @returns the resources of other clusters
 */
export function strandedResources({ resources = [] }: Deployment, current: string): StateResource[] {
  const clusters = new Map(resources.filter(isProvider).map((r) => [`${r.urn}::${r.id}`, r.inputs?.clusterIdentifier]));
  return resources.filter((resource) => {
    const identifier = clusters.get(resource.provider ?? "");
    return resource.type.startsWith("kubernetes:") && identifier !== undefined && identifier !== current;
  });
}

/** Takes resources out of a state, and whatever in it points to them. */
export function forget(deployment: Deployment, gone: StateResource[]): void {
  const all = deployment.resources ?? [];
  const kept = all.filter((resource) => !gone.includes(resource));
  // Of a resource that was made anew, both generations have one URN.
  const left = new Set(kept.map(({ urn }) => urn));
  const urns = new Set(gone.map(({ urn }) => urn).filter((urn) => !left.has(urn)));
  const still = (dependencies: string[]) => dependencies.filter((urn) => !urns.has(urn));
  deployment.resources = kept.map((resource) => ({
    ...resource,
    ...(resource.dependencies && { dependencies: still(resource.dependencies) }),
    ...(resource.propertyDependencies && {
      propertyDependencies: Object.fromEntries(
        Object.entries(resource.propertyDependencies).map(([key, urns]) => [key, urns && still(urns)]),
      ),
    }),
  }));
}

const isProvider = ({ type }: StateResource) => type === "pulumi:providers:kubernetes";
