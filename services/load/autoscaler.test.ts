import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { autoscaler, condition, listOf } from "../testing/kubernetes-api.ts";
import { type Autoscaler, figuresOf, graceMs, parseAutoscalers } from "./autoscaler.ts";
import { SourceDown } from "./source.ts";

const now = Date.parse("2026-11-21T02:40:00Z");

function parseOne(status: object): Autoscaler {
  return parseAutoscalers(listOf(autoscaler("echo", status))).get("echo") as Autoscaler;
}

describe("the list of autoscalers", () => {
  test("is by deployment; what scales anything else is left out", () => {
    const set = autoscaler("set");
    set.spec.scaleTargetRef.kind = "StatefulSet";
    const parsed = parseAutoscalers(listOf(autoscaler("echo"), set, autoscaler("shop")));
    expect([...parsed.keys()].sort()).toEqual(["echo", "shop"]);
    expect(parsed.get("echo")).toMatchObject({ name: "echo", maxReplicas: 2, targetUtilization: 40 });
  });

  test("of two for one deployment the first by name counts, in whatever order they come", () => {
    const second = autoscaler("another");
    second.spec.scaleTargetRef.name = "echo";
    for (const items of [
      [autoscaler("echo"), second],
      [second, autoscaler("echo")],
    ])
      expect(parseAutoscalers(listOf(...items)).get("echo")?.name).toBe("another");
  });

  test("a new one has no status to speak of", () => {
    const fresh = parseOne({ currentReplicas: undefined, desiredReplicas: 0, conditions: null });
    expect(fresh).toMatchObject({ currentReplicas: 0, desiredReplicas: 0, conditions: [] });
  });

  test.each([
    [{ currentReplicas: "1" }, "items[0].status.currentReplicas is not a whole number"],
    [{ desiredReplicas: -1 }, "items[0].status.desiredReplicas is not a whole number"],
    [{ conditions: {} }, "items[0].status.conditions is not a list"],
    [{ conditions: [{}] }, "items[0].status.conditions[0].type is not a text"],
  ])("%j is refused", (status, problem) => {
    expect(() => parseOne(status)).toThrow(problem);
  });

  test("no document brings anything but figures or an error with a place", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (document) => {
        try {
          for (const one of parseAutoscalers({ items: [document] }).values())
            expect(one.maxReplicas).toBeTypeOf("number");
        } catch (error) {
          expect((error as Error).message).toMatch(/^items\[0\]/);
        }
      }),
    );
  });
});

describe("figures", () => {
  const failed = (reason: string, at: number, type = "ScalingActive") => ({
    conditions: [condition(type, "False", reason, "its words", at)],
  });

  test("are the replicas there are and those wanted", () => {
    expect(figuresOf(parseOne({ currentReplicas: 1, desiredReplicas: 2 }), now)).toEqual({ current: 1, target: 2 });
  });

  test("are not there before the first look", () => {
    expect(() => figuresOf(parseOne({ conditions: [] }), now)).toThrow(SourceDown);
  });

  test.each(["ScalingActive", "AbleToScale"])("%s False: the last ones stand for a minute, then no more", (type) => {
    const at = (ago: number) => parseOne({ desiredReplicas: 2, ...failed("FailedGetResourceMetric", now - ago, type) });
    expect(figuresOf(at(graceMs - 1000), now)).toEqual({ current: 1, target: 2 });
    expect(() => figuresOf(at(graceMs), now)).toThrow(
      new SourceDown("the autoscaler echo has no figures: FailedGetResourceMetric: its words"),
    );
  });

  test("were there none before, there is nothing that could stand", () => {
    const never = parseOne({ desiredReplicas: 0, ...failed("FailedGetResourceMetric", now) });
    expect(() => figuresOf(never, now)).toThrow("FailedGetResourceMetric: its words");
  });

  test("scaled to 0 by hand is no failure", () => {
    const off = parseOne({ currentReplicas: 0, desiredReplicas: 0, ...failed("ScalingDisabled", 0) });
    expect(figuresOf(off, now)).toEqual({ current: 0, target: 0 });
  });

  test("another condition that is False says nothing: ScalingLimited is at its best so", () => {
    const conditions = [condition("ScalingLimited", "False", "DesiredWithinRange", "", 0)];
    expect(figuresOf(parseOne({ conditions }), now)).toEqual({ current: 1, target: 1 });
  });
});
