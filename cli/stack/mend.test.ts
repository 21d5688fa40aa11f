import { expect, it } from "vitest";
import { recordedObjects, recordedReleases } from "./mend.ts";
import type { StateResource } from "./stack.ts";

const object = (over: Partial<StateResource> = {}, outputs: object = {}): StateResource => ({
  ...{ urn: "urn:one", type: "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", custom: true },
  inputs: { metadata: { name: "one" } },
  outputs: {
    ...{ apiVersion: "gateway.networking.k8s.io/v1", kind: "HTTPRoute" },
    ...{ metadata: { name: "one", namespace: "default", uid: "u" }, ...outputs },
  },
  ...over,
});

it("objects are those that the stack has made itself, and that are in use", () => {
  const resources = [
    object(),
    object({ urn: "urn:old", delete: true }),
    object({ urn: "urn:read", external: true }),
    object({ urn: "urn:file", type: "kubernetes:yaml/v2:ConfigFile", custom: false }),
    object({ urn: "urn:half", outputs: {} }),
    { urn: "urn:process", type: "meshup:local:Process", custom: true },
  ];
  expect(
    recordedObjects({ resources }).map(({ urn, kind, name, namespace }) => ({ urn, kind, name, namespace })),
  ).toEqual([{ urn: "urn:one", kind: "HTTPRoute", name: "one", namespace: "default" }]);
});

it("an addition to somebody's object is told from the object", () => {
  const outputs = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default", uid: "u" } };
  const resources = [
    object({ type: "kubernetes:core/v1:NamespacePatch" }, outputs),
    object({ type: "kubernetes:core/v1:Namespace" }, outputs),
  ];
  expect(recordedObjects({ resources }).map(({ isPatch }) => isPatch)).toEqual([true, false]);
});

it("releases are Helm's", () => {
  const outputs = { name: "eg", namespace: "system", resourceNames: { "Service/v1": ["system/eg"] }, status: {} };
  const release: StateResource = { urn: "urn:eg", type: "kubernetes:helm.sh/v3:Release", custom: true, outputs };
  expect(recordedObjects({ resources: [release] })).toEqual([]);
  expect(recordedReleases({ resources: [release, { ...release, delete: true }, object()] })).toEqual([
    { urn: "urn:eg", name: "eg", namespace: "system", resourceNames: outputs.resourceNames },
  ]);
});
