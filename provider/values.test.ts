import { expect, test } from "vitest";
import { changedNames, hasUnknown, plain, unwrap } from "./values.ts";

const unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const secret = (value: unknown) => ({
  "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
  value,
});

test("a secret is opened at any depth, and nothing else changes", () => {
  const inputs = { env: secret({ TOKEN: secret("t") }), ports: [secret(1), 2], none: null, url: { a: true } };
  expect(unwrap(inputs)).toEqual({ env: { TOKEN: "t" }, ports: [1, 2], none: null, url: { a: true } });
});

test("an input that was left out beside a secret, which comes as null, is left out; inside an input null stays", () => {
  expect(plain({ problem: secret(null), body: null, config: { none: null } })).toEqual({ config: { none: null } });
});

test("what a preview does not know is found at any depth", () => {
  expect(hasUnknown({ command: ["a", { b: unknown }] })).toBe(true);
  expect(hasUnknown({ command: ["a", { b: null }], n: 1 })).toBe(false);
});

test("differences: by value, among the named; null is as good as absent", () => {
  const olds = { a: { x: [1] }, b: 1, c: null, output: 1 };
  expect(changedNames(["a", "b", "c"], olds, { a: { x: [1] }, b: 2 })).toEqual(["b"]);
  expect(changedNames(["a", "d"], olds, { a: { x: [1, 2] }, d: 1 })).toEqual(["a", "d"]);
});
