import * as pulumi from "@pulumi/pulumi";

/** What is broken in a cluster, and what only the program can have made anew. */
export interface Repair {
  /** Names of Helm's releases (as resources) whose objects are gone, or have been changed by hand. */
  releases: string[];
}

const releaseType = "kubernetes:helm.sh/v3:Release";

/**
 * Helm makes what is missing when it upgrades a release, and it upgrades one whose resource has changed. What changes
 * here is the release's description; nobody else has to care for it, so that the next `up` leaves it as it is.
 */
export function upgradeReleases({ releases }: Repair = { releases: [] }): void {
  pulumi.runtime.registerStackTransformation(({ type, name, props, opts }) => {
    if (type !== releaseType) return undefined;
    if (releases.includes(name))
      return { props: { ...props, description: `mended ${new Date().toISOString()}` }, opts };
    const { ignoreChanges = [] } = opts as pulumi.CustomResourceOptions;
    return {
      props,
      opts: { ...opts, ignoreChanges: [...ignoreChanges, "description"] } as pulumi.CustomResourceOptions,
    };
  });
}
