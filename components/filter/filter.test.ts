import { expect, it } from "vitest";
import { configurationText } from "./filter.ts";

it.each([
  [{ a: 1 }, '{"a":1}'],
  ["as it is", "as it is"],
  [undefined, undefined],
])("the configuration %j is handed over as %j", (config, text) => {
  expect(configurationText(config)).toBe(text);
});
