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

test("one in a registry is named by its digest, whatever the registry", () => {
  const at = (name: string) => moduleName(`oci://${name}@sha256:d905f08db4f1${"0".repeat(52)}`);
  const named = { name: "my_filter@d905f08db4f1", slug: "my-filter-d905f08db4f1" };
  expect(at("ghcr.io/me/my_filter")).toEqual(named);
  expect(at("localhost:5001/my_filter:v1")).toEqual(named);
  expect(at(`ghcr.io/${"long-".repeat(20)}name`).slug).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*-d905f08db4f1$/);
  expect(at(`ghcr.io/${"long-".repeat(20)}name`).slug.length).toBeLessThanOrEqual(45);
});
