import { expect, it } from "vitest";
import { configurationOf } from "./configuration.ts";

it.each([
  [{ a: 1 }, { text: '{"a":1}', json: { a: 1 }, object: { a: 1 } }],
  ['{"a": 1}', { text: '{"a": 1}', json: { a: 1 }, object: { a: 1 } }],
  ["[1]", { text: "[1]", json: [1] }],
  ["null", { text: "null", json: null }],
  ["as it is", { text: "as it is" }],
  ["", { text: "" }],
  [undefined, undefined],
])("the configuration %j is %j", (config, made) => {
  expect(configurationOf(config)).toEqual(made);
});
