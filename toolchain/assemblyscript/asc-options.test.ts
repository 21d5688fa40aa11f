import { expect, test } from "vitest";
import { readAscConfig, toArguments } from "./asc-options.ts";

const read = (config: unknown) => readAscConfig(JSON.stringify(config), "filters/mine/asconfig.json");

test("without an asconfig.json the options are ours", () => {
  const { entries, options } = readAscConfig(undefined, "asconfig.json");
  expect(entries).toEqual([]);
  expect(toArguments(options)).toEqual([
    "--optimizeLevel",
    "3",
    "--shrinkLevel",
    "0",
    "--debug",
    "--use",
    "abort=meshup_abort",
  ]);
});

test("a folder's options outrank ours, and its target's outrank its general ones", () => {
  const { options } = read({
    options: { runtime: "stub", optimizeLevel: 1, debug: false },
    targets: { release: { optimizeLevel: 2 }, debug: { optimizeLevel: 0 } },
  });
  expect(options).toMatchObject({ runtime: "stub", optimizeLevel: 2, shrinkLevel: 0, debug: false });
  expect(toArguments(options)).not.toContain("--debug");
});

test("what asinit writes is accepted", () => {
  const { options } = read({
    targets: {
      debug: { outFile: "build/debug.wasm", textFile: "build/debug.wat", sourceMap: true, debug: true },
      release: { outFile: "build/release.wasm", textFile: "build/release.wat", sourceMap: true, optimizeLevel: 3 },
    },
    options: { bindings: "esm" },
  });
  expect(Object.keys(options).sort()).toEqual(["debug", "optimizeLevel", "shrinkLevel", "use"]);
});

test("a folder's own aliases do not take the place of abort's", () => {
  expect(read({ options: { use: ["Date=", "x=y"] } }).options.use).toEqual(["abort=meshup_abort", "Date=", "x=y"]);
});

test("every problem of an asconfig.json is named at once", () => {
  const bad = { extends: "../base.json", entries: [1], options: { transform: "./t.mjs", runtime: {} }, targets: 3 };
  expect(() => read(bad)).toThrow(
    [
      "filters/mine/asconfig.json:",
      `  "targets" must be an object`,
      `  option "transform" cannot be used here`,
      `  option "runtime" must be a string, number, boolean or list of strings`,
      `  "extends" cannot be used here: write the options into this file`,
      `  "entries" must be a list of file names`,
    ].join("\n"),
  );
});

test("an asconfig.json that is not JSON is named", () => {
  expect(() => readAscConfig("{", "a/asconfig.json")).toThrow(/^a\/asconfig\.json is not JSON: /);
  expect(() => readAscConfig("[]", "a/asconfig.json")).toThrow("a/asconfig.json must be a JSON object");
});
