import { describe, expect, it } from "vitest";
import { forget, strandedResources } from "./forget.ts";
import type { StateResource } from "./stack.ts";

const provider = (generation: string, over: object = {}): StateResource => ({
  ...{ urn: "urn:provider", id: generation, type: "pulumi:providers:kubernetes" },
  ...{ inputs: { clusterIdentifier: `meshup-dev/${generation}` }, ...over },
});
const release = (generation: string, over: object = {}): StateResource => ({
  ...{ urn: "urn:release", type: "kubernetes:helm.sh/v3:Release", provider: `urn:provider::${generation}` },
  ...over,
});
const urns = (resources: StateResource[]) =>
  strandedResources({ resources }, "meshup-dev/g2").map(({ urn, provider }) => `${urn} of ${provider}`);

describe("what a state still holds of clusters that have gone", () => {
  it("is nothing where all is of the one that there is", () => {
    expect(urns([provider("g2"), release("g2")])).toEqual([]);
    expect(urns([])).toEqual([]);
  });

  it("is what waits for its deletion", () => {
    const replaced = [provider("g1", { delete: true }), release("g1", { delete: true })];
    expect(urns([provider("g2"), release("g2"), ...replaced])).toEqual(["urn:release of urn:provider::g1"]);
  });

  it("is all that was in it when only the cluster was made anew", () => {
    expect(urns([provider("g1"), release("g1")])).toEqual(["urn:release of urn:provider::g1"]);
  });

  it("is nothing that another provider has made", () => {
    const image = { urn: "urn:image", type: "docker:index/image:Image", provider: "urn:docker::1" };
    const people = release("mine", { provider: "urn:own::1" });
    expect(urns([provider("g1"), { ...provider("1"), urn: "urn:own", inputs: {} }, image, people])).toEqual([]);
  });
});

it("what points to it, points to it no more, unless another of its name is there", () => {
  const gone = release("g1", { delete: true });
  const policy: StateResource = { urn: "urn:policy", type: "kubernetes:x:Policy" };
  const ready: StateResource = {
    ...{ urn: "urn:ready", type: "meshup:kubernetes:PolicyReady", dependencies: ["urn:release", "urn:policy"] },
    propertyDependencies: { name: ["urn:policy"], uid: ["urn:policy", "urn:release"], none: null },
  };
  const deployment = { resources: [release("g2"), gone, policy, ready] };
  forget(deployment, [gone, policy]);
  expect(deployment.resources).toEqual([
    release("g2"),
    {
      ...ready,
      dependencies: ["urn:release"],
      propertyDependencies: { name: [], uid: ["urn:release"], none: null },
    },
  ]);
});
