import { expect, test } from "vitest";
import { advice } from "../../../../kube/advice.ts";
import { type Condition, changedAt, isTransient, judge, known, type Policy, pullsWorthTrying } from "./policy.ts";

const condition = (over: Partial<Condition> = {}): Condition => ({
  type: "Accepted",
  status: "True",
  reason: "Accepted",
  message: "Policy has been accepted.",
  observedGeneration: 2,
  ...over,
});
const policy = (...conditions: Condition[][]): Policy => ({
  metadata: { name: "route-one", namespace: "default", generation: 2 },
  status: {
    ancestors: conditions.map((all) => ({
      ancestorRef: { kind: "Gateway", name: "gateway" },
      controllerName: "gateway.envoyproxy.io/gatewayclass-controller",
      conditions: all,
    })),
  },
});
const refused = condition({ status: "False", reason: "Invalid", message: "Wasm: no." });

test("accepted: by every ancestor, in its current generation", () => {
  expect(judge(policy([condition()], [condition()]))).toEqual({ state: "accepted" });
});

test.each([
  ["no status at all", { metadata: { name: "a", generation: 1 } } as Policy, /no Gateway/],
  ["no ancestors", policy(), /no Gateway/],
  ["another condition only", policy([condition({ type: "Overridden" })]), /Gateway gateway says nothing/],
  ["an older generation, accepted", policy([condition({ observedGeneration: 1 })]), /only generation 1/],
  ["an older generation, refused", policy([{ ...refused, observedGeneration: 1 }]), /only generation 1/],
  ["one ancestor of two", policy([condition()], []), /says nothing/],
  ["unknown", policy([condition({ status: "Unknown", message: "wait" })]), /wait/],
])("waiting: %s", (_, object, why) => {
  expect(judge(object)).toEqual({ state: "waiting", why: expect.stringMatching(why) });
});

test("refused by one ancestor is refused, whatever the others say", () => {
  const verdict = { state: "refused", reason: "Invalid", message: "Wasm: no." };
  expect(judge(policy([condition()], [refused]))).toEqual(verdict);
  expect(judge(policy([condition({ observedGeneration: 1 })], [refused]))).toEqual(verdict);
});

// As Envoy Gateway v1.9.1 says them.
const down =
  'Wasm: could not fetch Wasm OCI image: could not fetch manifest: Get "https://registry.localhost:5000/v2/": dial tcp: lookup registry.localhost on 10.96.0.10:53: server misbehaving; Get "http://registry.localhost:5000/v2/": dial tcp: lookup registry.localhost on 10.96.0.10:53: server misbehaving.';
const unknown =
  "Wasm: could not fetch Wasm OCI image: could not fetch manifest: GET http://registry.localhost:5000/v2/meshup/f/manifests/sha256:00: MANIFEST_UNKNOWN: manifest unknown; unknown manifest name=meshup/f revision=sha256:00.";

test("what a later pull may mend", () => {
  expect(isTransient(down)).toBe(true);
  expect(isTransient(down.replaceAll("server misbehaving", "connect: connection refused"))).toBe(true);
  expect(isTransient(unknown)).toBe(false);
  expect(isTransient("Wasm: module downloaded from oci://a has checksum 1, which does not match: 2.")).toBe(false);
  expect(isTransient("Lua: validation failed")).toBe(false);
});

test("how often a module is pulled before a refusal counts", () => {
  expect(pullsWorthTrying(down)).toBe(4);
  expect(pullsWorthTrying(unknown)).toBe(2);
  expect(pullsWorthTrying("Wasm: could not fetch manifest: GET http://r/v2/: UNAUTHORIZED: no.")).toBe(2);
  expect(pullsWorthTrying("Wasm: module downloaded from oci://a has checksum 1, which does not match: 2.")).toBe(1);
  expect(pullsWorthTrying("Lua: validation failed")).toBe(1);
});

test.each([
  [down, /does not answer inside the cluster/],
  [unknown, /does not have this image/],
  ["Wasm: wasm cache is not initialized.", /rollout restart/],
  ["Wasm: failed to get Wasm module oci://a after 10 attempts.", /for an hour.*rollout restart/],
  ["Wasm: could not fetch: http: server gave HTTP response to HTTPS client.", /\.localhost/],
  ["Wasm: could not fetch manifest: GET http://r/v2/: UNAUTHORIZED: authentication required.", /password/],
  ["Lua: validation failed for lua body", /mend the script/],
])("advice for: %s", (message, expected) => {
  expect(advice([message], known)).toMatch(expected);
});

test("when the policy was changed: the controller's status is no change", () => {
  const managedFields = [
    { time: "2026-01-01T00:00:05Z", subresource: "status" },
    { time: "2026-01-01T00:00:03Z" },
    { time: "2026-01-01T00:00:01Z" },
  ];
  expect(changedAt({ metadata: { name: "a", managedFields } })).toBe("2026-01-01T00:00:03Z");
  expect(changedAt({ metadata: { name: "a", creationTimestamp: "2026-01-01T00:00:00Z" } })).toBe(
    "2026-01-01T00:00:00Z",
  );
});
