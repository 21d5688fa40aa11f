import { expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { broken, compileModule } from "../test/modules.ts";
import type { PreflightInputs } from "./preflight.ts";
import { preflightType } from "./preflight.ts";
import type { Context } from "./resource.ts";
import { scratch } from "./testing/scratch.ts";

const context = (env: NodeJS.ProcessEnv = {}): Context => ({ signal: new AbortController().signal, env });

async function inputsFor(behaviour: Parameters<typeof compileModule>[1]): Promise<PreflightInputs> {
  const { file, digest } = await compileModule(scratch(), behaviour);
  return { filter: "mine", sha256: digest, file, rootId: "root" };
}

test("what a module adds in the host is told, and module and digest are passed on", async () => {
  const inputs = await inputsFor({ value: "ok" });
  expect(await preflightType.create(inputs, context())).toMatchObject({
    sha256: inputs.sha256,
    file: inputs.file,
    adds: { "x-test": "ok" },
    checked: true,
  });
});

test.each(Object.keys(broken))("a module that %s does not pass; the filter is named", async (name) => {
  const creating = inputsFor(broken[name]?.behaviour ?? { value: "" }).then((i) => preflightType.create(i, context()));
  await expect(creating).rejects.toThrow(UserError);
  await expect(creating).rejects.toThrow('filter "mine": ');
});

test("a module that is not there, or no longer the one that was built, does not pass", async () => {
  const inputs = await inputsFor({ value: "ok" });
  const check = (more: Partial<PreflightInputs>) => preflightType.create({ ...inputs, ...more }, context());
  await expect(check({ file: `${inputs.file}.gone` })).rejects.toThrow(/filter "mine": cannot read the module: ENOENT/);
  await expect(check({ sha256: "0".repeat(64) })).rejects.toThrow(/filter "mine": .* is no longer the module that was/);
});

test("switched off: passed on unchecked with a warning, and checked by the next up", async () => {
  const off = context({ MESHUP_PREFLIGHT: "off" });
  const inputs = await inputsFor(broken["traps at start"]?.behaviour ?? { value: "" });
  const outputs = await preflightType.create(inputs, off);
  expect(outputs).toMatchObject({ sha256: inputs.sha256, file: inputs.file, adds: {}, checked: false });
  expect(outputs.warnings).toEqual([expect.stringContaining("MESHUP_PREFLIGHT=off")]);
  const state = { ...inputs, ...outputs };
  expect(await preflightType.hasDrifted?.(state, inputs, off)).toBe(false);
  expect(await preflightType.hasDrifted?.(state, inputs, context())).toBe(true);
  await expect(preflightType.update(state, inputs, context())).rejects.toThrow(UserError);
});
