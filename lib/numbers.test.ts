import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { canonical, inexactNumbers, isExact } from "./numbers.ts";

describe("a number is kept to the last digit", () => {
  it.each(["0", "-0", "12", "1.50", "0.1", "1e3", "1e21", "1e308", "9007199254740992", "+5", ".5", "5."])(
    "%s",
    (text) => expect(isExact(text)).toBe(true),
  );

  it.each([
    "9007199254740993",
    "251985589757358482",
    "0.1234567890123456789",
    "1e400",
    "-18446744073709551615",
    "1.00000000000000001",
  ])("%s is not", (text) => expect(isExact(text)).toBe(false));

  test("whatever JavaScript writes", () => {
    fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => isExact(String(n))));
  });
});

test("the same number has the same canonical text", () => {
  expect(new Set(["10", "1e1", "+10.0", "0010", "100e-1"].map(canonical)).size).toBe(1);
  expect(["", ".", "e1", "1_0", "0x1", "abc"].map(canonical)).toEqual(Array(6).fill(undefined));
});

describe("inexact numbers in JSON", () => {
  it("are found wherever they stand", () => {
    const json =
      '{"a": 9007199254740993, "b": [1, {"c": [2, -0.12345678901234567890]}], "d e": "9007199254740993", "f": 1e400}';
    expect(inexactNumbers(json)).toEqual([
      { path: ["a"], text: "9007199254740993" },
      { path: ["b", 1, "c", 1], text: "-0.12345678901234567890" },
      { path: ["f"], text: "1e400" },
    ]);
    expect(inexactNumbers("[12345678.123456789]")).toEqual([{ path: [0], text: "12345678.123456789" }]);
    expect(inexactNumbers("9007199254740993")).toEqual([{ path: [], text: "9007199254740993" }]);
  });

  it("are none in text and in keys", () => {
    expect(
      inexactNumbers('{"9007199254740993": "a\\"9007199254740993", "x": [true, null, "]9007199254740993"]}'),
    ).toEqual([]);
  });

  test("are none in what JavaScript has written", () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => inexactNumbers(JSON.stringify(value)).length === 0));
  });
});
