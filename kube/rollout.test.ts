import { describe, expect, test } from "vitest";
import type { ContainerStatus, Pod } from "./pods.ts";
import { type Deployment, isRolledOut, troubleOf } from "./rollout.ts";

describe("a deployment is rolled out", () => {
  const whole = {
    metadata: { name: "web", generation: 2 },
    spec: { replicas: 2 },
    status: { observedGeneration: 2, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
  };
  const but = (status: Partial<NonNullable<Deployment["status"]>>) =>
    isRolledOut({ ...whole, status: { ...whole.status, ...status } });

  test("with all pods new and ready", () => {
    expect(isRolledOut(whole)).toBe(true);
    expect(isRolledOut({ ...whole, spec: { replicas: 0 }, status: { observedGeneration: 2 } })).toBe(true);
  });

  test.each([
    ["its controller has not seen it yet", { observedGeneration: 1 }],
    ["an old pod is there", { replicas: 3 }],
    ["a new pod is missing", { updatedReplicas: 1 }],
    ["a pod is not ready", { availableReplicas: 1 }],
  ])("not while %s", (_, status) => {
    expect(but(status)).toBe(false);
  });
});

describe("what keeps a pod from being ready", () => {
  const pod = (status: Omit<ContainerStatus, "name">, ready = "False"): Pod => ({
    metadata: { name: "web-1", namespace: "default" },
    status: { conditions: [{ type: "Ready", status: ready }], containerStatuses: [{ name: "web", ...status }] },
  });
  const ended = { exitCode: 3, reason: "Error" };

  test("nothing, where it is ready, or is only being made", () => {
    expect(troubleOf(pod({ ready: true }, "True"))).toBeUndefined();
    expect(troubleOf(pod({ state: { waiting: { reason: "ContainerCreating" } } }))).toBeUndefined();
    expect(troubleOf({ metadata: { name: "a", namespace: "b" } })).toBeUndefined();
  });

  test.each([
    ["it has ended, for the first time", { state: { terminated: ended } }, { log: "current", isFinal: false }],
    [
      "it ends again and again",
      { restartCount: 2, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: ended } },
      { log: "previous", isFinal: true },
    ],
  ])("%s", (_, status, expected) => {
    const found = { pod: "web-1", container: "web", what: "exited with code 3", ...expected };
    expect(troubleOf(pod(status))).toEqual(found);
  });

  test("it was killed for its memory, and that it ended well is no good either", () => {
    const state = (exitCode: number, reason: string) => pod({ state: { terminated: { exitCode, reason } } });
    expect(troubleOf(state(137, "OOMKilled"))?.what).toBe("exited with code 137 (OOMKilled)");
    expect(troubleOf(state(0, "Completed"))?.what).toBe("exited with code 0");
  });

  test("it runs again after an end: time will tell", () => {
    const again = pod({ restartCount: 3, ready: false, state: { running: {} }, lastState: { terminated: ended } });
    expect(troubleOf(again)).toMatchObject({ what: "runs, but is not ready", isFinal: false });
  });

  test.each([
    ["ErrImagePull", false],
    ["ImagePullBackOff", true],
    ["CreateContainerConfigError", true],
  ])("%s, which is final: %s", (reason, isFinal) => {
    const found = troubleOf(pod({ state: { waiting: { reason, message: "why" } } }));
    expect(found).toEqual({ pod: "web-1", container: "web", what: `waits: ${reason}: why`, isFinal });
  });

  test("no node has room for it", () => {
    const conditions = [{ type: "PodScheduled", status: "False", message: "0/1 nodes are available" }];
    const found = troubleOf({ metadata: { name: "web-1", namespace: "default" }, status: { conditions } });
    expect(found).toMatchObject({ what: "0/1 nodes are available", isFinal: false });
  });
});
