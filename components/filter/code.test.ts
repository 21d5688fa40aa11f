import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "../../lib/paths.ts";
import { moduleName } from "./code.ts";

test.each([
  ["./filter", "filter", "filter"],
  ["filters/mine", "filters/mine", "filters-mine"],
  ["./filters/my_filter.wasm", "filters/my_filter.wasm", "filters-my-filter-wasm"],
  [join(root, "filters/mine"), "filters/mine", "filters-mine"],
  [".", ".", "filter"],
])("%s is the module %s, with the image %s", (path, name, slug) => {
  expect(moduleName(path)).toEqual({ name, slug });
});

test("one outside of the clone has its place in its name", () => {
  expect(moduleName("/elsewhere/Plugin.wasm").slug).toMatch(/elsewhere-plugin-wasm$/);
});
