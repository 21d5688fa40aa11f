import { createHash } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { bundleType } from "./bundle.ts";
import { moduleType } from "./module.ts";
import type { Context } from "./resource.ts";
import { scratch } from "./testing/scratch.ts";

const context: Context = { signal: new AbortController().signal, env: process.env };

/** The shortest module there is, with something of its own in it. */
function wasm(text: string): Uint8Array {
  const content = Buffer.from(text);
  const section = [0, content.length + 2, 1, "n".charCodeAt(0), ...content];
  return Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...section]);
}

test("a ready module is named by its content, and put back when its file has gone", async () => {
  const path = join(scratch(), "mine.wasm");
  const bytes = wasm(`module.test ${process.pid}`);
  writeFileSync(path, bytes);
  const inputs = { path, sourceHash: "s" };
  const outputs = await moduleType.create(inputs, context);
  onTestFinished(() => rmSync(outputs.file, { force: true }));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  expect(outputs).toMatchObject({ sha256, bytes: bytes.length });
  expect(outputs.file).toContain(`${sha256}.wasm`);
  expect(new Uint8Array(readFileSync(outputs.file))).toEqual(bytes);

  const state = { ...inputs, ...outputs };
  expect(await moduleType.hasDrifted?.(state, inputs, context)).toBe(false);
  rmSync(outputs.file);
  expect(await moduleType.hasDrifted?.(state, inputs, context)).toBe(true);
  expect(await moduleType.read?.(state, context)).toBeUndefined();
  expect(await moduleType.update(state, inputs, context)).toEqual(outputs);
  expect(readFileSync(outputs.file)).toHaveLength(bytes.length);
});

test("a module that is not there", async () => {
  const creating = moduleType.create({ path: "no/such.wasm", sourceHash: "s" }, context);
  await expect(creating).rejects.toThrow(UserError);
  await expect(creating).rejects.toThrow("no/such.wasm");
});

test("a service's bundle is one file that Node can read, and is made again when it has gone", async () => {
  const inputs = { entry: "lib/errors.ts", sourceHash: "s" };
  const outputs = await bundleType.create(inputs, context);
  onTestFinished(() => rmSync(outputs.file, { force: true }));
  expect(await import(outputs.file)).toHaveProperty("UserError");
  const state = { ...inputs, ...outputs };
  expect(await bundleType.hasDrifted?.(state, inputs, context)).toBe(false);
  rmSync(outputs.file);
  expect(await bundleType.hasDrifted?.(state, inputs, context)).toBe(true);
  expect(await bundleType.update(state, inputs, context)).toEqual(outputs);
});
