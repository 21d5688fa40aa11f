import { describe, expect, it } from "vitest";
import { configurationText, expectation } from "./filter.ts";

const declaration = { name: "mine", root: "", target: { gateway: true as const }, failure: "close" as const };

describe("what proves that a filter runs", () => {
  it("is what it declares, whatever it adds", () => {
    const found = { adds: { "x-a": "1" }, checked: true };
    expect(expectation({ ...declaration, expect: { "x-b": "2" } }, found)).toEqual({ "x-b": "2" });
    expect(expectation({ ...declaration, expect: {} }, found)).toEqual({});
  });

  it("is what it added in the host, where nothing is declared", () => {
    expect(expectation(declaration, { adds: { "x-a": "1" }, checked: true })).toEqual({ "x-a": "1" });
  });

  it("has to be declared where it added nothing", () => {
    expect(() => expectation(declaration, { adds: {}, checked: true })).toThrow(
      /"mine"[\s\S]*`expect`[\s\S]*`expect: \{\}`/,
    );
  });

  it("is left open where nobody looked", () => {
    expect(expectation(declaration, { adds: {}, checked: false })).toEqual({});
  });
});

it.each([
  [{ a: 1 }, '{"a":1}'],
  ["as it is", "as it is"],
  [undefined, undefined],
])("the configuration %j is handed over as %j", (config, text) => {
  expect(configurationText(config)).toBe(text);
});
