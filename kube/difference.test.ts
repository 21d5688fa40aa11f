import { describe, expect, it } from "vitest";
import { firstDifference, firstUnmet } from "./difference.ts";

describe("the first difference", () => {
  it.each([
    [{ a: 1 }, { a: 1 }, undefined],
    [{ spec: { rules: [{ x: 1 }, { x: 2 }] } }, { spec: { rules: [{ x: 1 }, { x: 3 }] } }, "spec.rules.1.x"],
    [{ spec: { rules: [1] } }, { spec: { rules: [1, 2] } }, "spec.rules"],
    [{ a: 1 }, { a: 1, b: 2 }, "b"],
    [{ a: 1, b: 2 }, { a: 1 }, "b"],
    [{ a: { b: {} } }, {}, undefined],
    [{ cpu: "1000m" }, { cpu: "1" }, undefined],
    [{ memory: "1Gi" }, { memory: "1024Mi" }, undefined],
    [{ memory: "1Gi" }, { memory: "1G" }, "memory"],
    [{ replicas: 0 }, {}, "replicas"],
    [{ on: false }, {}, "on"],
    [{ name: "1a2b" }, { name: "1a2c" }, "name"],
  ])("of %j and %j", (before, now, path) => {
    expect(firstDifference(before, now)).toBe(path);
    expect(firstDifference(now, before)).toBe(path);
  });
});

describe("the first field that is asked for and is not so", () => {
  it.each([
    [{ a: 1 }, { a: 1, b: 2 }, undefined],
    [{ a: { b: 1 } }, { a: { b: 2, c: 3 } }, "a.b"],
    [{ list: [{ a: 1 }] }, { list: [{ a: 1, b: 2 }] }, undefined],
    [{ list: [{ a: 1 }] }, { list: [{ a: 1 }, { a: 2 }] }, "list"],
    [{ caBundle: "" }, { caBundle: "filled in" }, undefined],
    [undefined, { a: 1 }, undefined],
    [{ a: 1 }, undefined, ""],
  ])("of %j in %j", (asked, now, path) => expect(firstUnmet(asked, now)).toBe(path));
});
