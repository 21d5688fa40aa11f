import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deployment, podMetrics } from "../testing/kubernetes-api.ts";
import { parseCores, parseCpu, parseDeployment, selectorText } from "./cpu.ts";

describe("quantities of cpu", () => {
  test.each([
    ["0", 0],
    ["1", 1],
    ["0.5", 0.5],
    ["250m", 0.25],
    ["1234567n", 0.001234567],
    ["12u", 0.000012],
    ["1k", 1000],
    [2, 2],
  ])("%j is %d", (text, cores) => {
    expect(parseCores(text, "cpu")).toBeCloseTo(cores, 12);
  });

  test.each(["", "m", "1M", "1 m", "-1", "1e3x", "0x10", "1.2.3", null, undefined, {}])("%j is none", (text) => {
    expect(() => parseCores(text, "here")).toThrow("here is not a quantity of cpu");
  });
});

describe("selectors", () => {
  test.each([
    [{ matchLabels: { app: "echo", version: "v1" } }, "app=echo,version=v1"],
    [
      {
        matchLabels: { app: "echo" },
        matchExpressions: [
          { key: "tier", operator: "In", values: ["a", "b"] },
          { key: "tier", operator: "NotIn", values: ["c"] },
          { key: "live", operator: "Exists" },
          { key: "old", operator: "DoesNotExist" },
        ],
      },
      "app=echo,tier in (a,b),tier notin (c),live,!old",
    ],
  ])("%j", (selector, text) => {
    expect(selectorText(selector)).toBe(text);
  });

  test("an operator that nobody knows is refused", () => {
    expect(() => selectorText({ matchExpressions: [{ key: "a", operator: "Near" }] })).toThrow("not known: Near");
  });
});

describe("utilization", () => {
  const pods = parseDeployment(deployment());

  test("is the mean over the pods, of what they request", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(2000), { minLength: 1, maxLength: 10 }), (millicores) => {
        const usage = Object.fromEntries(millicores.map((m, i) => [`echo-${i}`, `${m * 1_000_000}n`]));
        const cpu = parseCpu(podMetrics(usage), pods);
        const mean = millicores.reduce((sum, m) => sum + m, 0) / millicores.length;
        expect(Math.abs((cpu.utilization ?? -1) - mean)).toBeLessThanOrEqual(0.5 + 1e-6);
        expect(Object.values(cpu.pods)).toEqual(millicores);
      }),
    );
  });

  test("leaves out containers that a mesh puts beside the deployment's own", () => {
    const metrics = podMetrics({ "echo-1": "50m" });
    metrics.items[0]?.containers.push({ name: "istio-proxy", usage: { cpu: "900m", memory: "1Mi" } });
    expect(parseCpu(metrics, pods)).toEqual({ utilization: 50, pods: { "echo-1": 50 } });
  });

  test("is not there without pods, nor where they request nothing", () => {
    expect(parseCpu(podMetrics({}), pods).utilization).toBeUndefined();
    const none = deployment();
    const [container] = none.spec.template.spec.containers;
    (container as { resources?: unknown }).resources = {};
    expect(parseCpu(podMetrics({ a: "5m" }), parseDeployment(none))).toEqual({
      utilization: undefined,
      pods: { a: 5 },
    });
  });
});
