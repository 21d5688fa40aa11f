import { describe, expect, it } from "vitest";
import { forget, strandedResources } from "./forget.ts";
import type { Deployment, StateResource } from "./stack.ts";

const command = (generation: string, over: object = {}): StateResource => ({
  ...{ urn: "urn:kind", type: "command:local:Command", inputs: { triggers: ["meshup-dev", generation] } },
  ...over,
});
const provider = (generation: string, over: object = {}): StateResource => ({
  ...{ urn: "urn:provider", id: generation, type: "pulumi:providers:kubernetes" },
  ...{ inputs: { clusterIdentifier: `meshup-dev/${generation}` }, ...over },
});
const release = (generation: string, over: object = {}): StateResource => ({
  ...{ urn: "urn:release", type: "kubernetes:helm.sh/v3:Release", provider: `urn:provider::${generation}` },
  ...over,
});
const urns = (deployment: Deployment) =>
  strandedResources(deployment).map(({ urn, provider }) => `${urn} of ${provider}`);

describe("what a state still holds of clusters that have gone", () => {
  it("is nothing where all is of the one that there is", () => {
    expect(urns({ resources: [command("g1"), provider("g1"), release("g1")] })).toEqual([]);
    expect(urns({ resources: [] })).toEqual([]);
  });

  it("is what waits for its deletion when the cluster itself has been dropped", () => {
    const resources = [
      ...[command("g2"), provider("g2"), release("g2")],
      ...[provider("g1", { delete: true }), release("g1", { delete: true })],
    ];
    expect(urns({ resources })).toEqual(["urn:release of urn:provider::g1"]);
  });

  it("is all that was in it when only the cluster was made anew", () => {
    expect(urns({ resources: [command("g2"), provider("g1"), release("g1")] })).toEqual([
      "urn:release of urn:provider::g1",
    ]);
  });

  it("is nothing while the cluster waits for its deletion too: the engine drops both together", () => {
    const resources = [command("g1"), provider("g1"), release("g1")];
    expect(urns({ resources: [command("g0", { delete: true }), ...resources] })).toEqual([]);
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
