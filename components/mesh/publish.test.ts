import { expect, test } from "vitest";
import { moduleName } from "../filter/code.ts";
import { oncePerModule, refuseClashes } from "./publish.ts";

const filter = (module: string) => ({ module: moduleName(module) });

test("one path is one module, however it is written", () => {
  expect(oncePerModule([filter("filter"), filter("./filter"), filter("./filters/../filter")])).toHaveLength(1);
  expect(() => refuseClashes([filter("filter"), filter("./filter")])).not.toThrow();
});

test("a folder and the module that was built from it are two", () => {
  const both = [filter("filters/mine"), filter("filters/mine.wasm")];
  expect(oncePerModule(both)).toHaveLength(2);
  expect(() => refuseClashes(both)).not.toThrow();
});

test("modules that would have one image are refused, all of them at once", () => {
  const clash = () => refuseClashes([filter("a_b"), filter("a-b"), filter("c.d"), filter("c_d"), filter("e")]);
  expect(clash).toThrow(/a_b and \S*a-b would both be named a-b[\s\S]*c\.d and \S*c_d.*rename/);
});
