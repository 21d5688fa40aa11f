import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Plugin } from "../host/plugin/plugin.ts";
import { root } from "../lib/paths.ts";
import { buildModule } from "../toolchain/build.ts";
import { resolveModule } from "../toolchain/source.ts";
import { changed, source } from "./stack.ts";

test("the filter's changed source is one that shows that it was changed", async () => {
  const scratch = await mkdtemp(join(tmpdir(), "meshup-bench-"));
  try {
    await cp(join(root, "filter"), join(scratch, "filter"), { recursive: true });
    const file = join(scratch, source);
    await writeFile(file, changed(await readFile(file, "utf8"), "v7"));
    const { path } = await buildModule(await resolveModule(join(scratch, "filter")), join(scratch, "modules"));
    const plugin = Plugin.load({ wasm: path, rootId: "add_header_root", configuration: '{"x-mine":"1"}' });
    expect(plugin.stream().exchange().response?.headers).toEqual({ "x-mine": "1", "x-bench": "v7" });
  } finally {
    await rm(scratch, { recursive: true });
  }
});

test("a source that has another shape is told of", () => {
  expect(() => changed("export {};", "v1")).toThrow(/add-header\.ts has changed/);
});
