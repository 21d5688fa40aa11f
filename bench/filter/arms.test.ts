import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { Plugin } from "../../host/plugin/plugin.ts";
import { UserError } from "../../lib/errors.ts";
import { type Arm, armSpecs, header, loadArms } from "./arms.ts";

it("refuses names that are none, all at once, before anything is built", async () => {
  const loading = loadArms(["ours", "outs", "baer"]);
  await expect(loading).rejects.toThrow(UserError);
  await expect(loading).rejects.toThrow(/no arm "outs", "baer"; there is header_mutation, bare, ours/);
});

it("has the arms that are asked for, in the order of the table", async () => {
  expect((await loadArms(["lua", "header_mutation"])).map(({ name }) => name)).toEqual(["header_mutation", "lua"]);
});

it("each module puts the same header on a response, in the place of one that is there", async () => {
  const arms = (await loadArms()).filter(({ module }) => module);
  expect(arms.map(({ name }) => name)).toEqual(["bare", "ours", "ours-again", "ours-apart", "rust", "sdk"]);
  for (const arm of arms) {
    const { configuration, rootId, file } = wasmOf(arm);
    const plugin = Plugin.load({ wasm: readFileSync(file), rootId, configuration });
    const { response } = plugin.stream().exchange({}, { headers: { [header.name]: "another", via: "1.1" } });
    expect({ arm: arm.name, headers: response?.headers }).toEqual({
      arm: arm.name,
      headers: expect.objectContaining({ [header.name]: header.value, via: "1.1" }),
    });
    expect(plugin.trap).toBeUndefined();
  }
});

it("a chain is the same filter again, the A/A pair the same module in another VM, and apart is a VM for each place", async () => {
  const arms = await loadArms(["ours", "ours-again", "ours-apart"]);
  const vms = (arm: Arm) => new Set([1, 2, 3].map((place) => wasmOf(arm, place).vmId));
  expect(arms.map((arm) => [arm.oneVm, vms(arm).size])).toEqual([
    [true, 1],
    [true, 1],
    [false, 3],
  ]);
  expect(new Set(arms.flatMap((arm) => [...vms(arm)])).size).toBe(5);
  expect(new Set(arms.map((arm) => wasmOf(arm).file)).size).toBe(1);
});

it("filters of a chain have names of their own", async () => {
  for (const { filter } of await loadArms()) expect(filter(1).name).not.toBe(filter(2).name);
});

it("every arm says what it is", () => {
  for (const { what } of armSpecs) expect(what.length).toBeGreaterThan(10);
});

function wasmOf(arm: Arm, place = 1) {
  const { config } = arm.filter(place).typed_config as {
    config: {
      root_id: string;
      configuration?: { value: string };
      vm_config: { vm_id: string; code: { local: { filename: string } } };
    };
  };
  const { vm_id: vmId, code } = config.vm_config;
  return { vmId, file: code.local.filename, rootId: config.root_id, configuration: config.configuration?.value };
}
