import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { makeContext } from "./image-context.ts";
import { scratch } from "./testing/scratch.ts";

it("is a folder named by its content, with one time stamp", async () => {
  const folder = scratch();
  const file = join(folder, "a.wasm");
  writeFileSync(file, "one");
  const inputs = { dockerfile: "FROM scratch\n", files: { "plugin.wasm": file } };
  const one = await makeContext(inputs, join(folder, "images"));
  expect(readdirSync(one.directory).sort()).toEqual(["Dockerfile", "plugin.wasm"]);
  expect(readFileSync(join(one.directory, "plugin.wasm"), "utf8")).toBe("one");
  expect(statSync(join(one.directory, "plugin.wasm")).mtimeMs).toBe(1000);
  expect(await makeContext(inputs, join(folder, "images"))).toEqual(one);

  writeFileSync(file, "two");
  const two = await makeContext(inputs, join(folder, "images"));
  expect(two.directory).not.toBe(one.directory);
  expect(readdirSync(join(folder, "images"))).toHaveLength(2);
});

it("says which file is not there", async () => {
  const inputs = { dockerfile: "FROM scratch\n", files: { "plugin.wasm": "/no/such.wasm" } };
  await expect(makeContext(inputs, scratch())).rejects.toThrow(/^\/no\/such.wasm, which goes into an image, cannot be/);
});
