import fc from "fast-check";
import { expect, test } from "vitest";
import { decodePairs, encodePairs, headersStatus, type Pairs } from "./abi.ts";

// Text that UTF-8 can carry; NUL included, as the lengths are what counts.
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const pairs = fc.array(fc.tuple(text, text), { maxLength: 30 });

test("pairs come back as they went", () => {
  fc.assert(
    fc.property(pairs, (given) => {
      expect(decodePairs(encodePairs(given))).toEqual(given);
    }),
  );
});

test("the layout is count, lengths, then each text with a NUL", () => {
  const bytes = encodePairs([["ab", "é"]]);
  expect([...bytes]).toEqual([1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 97, 98, 0, 0xc3, 0xa9, 0]);
});

test("what is cut off, or has something after it, is no pairs", () => {
  const some = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(some, fc.nat(), (given, at) => {
      const bytes = encodePairs(given);
      expect(decodePairs(bytes.subarray(0, at % bytes.length))).toEqual([]);
      expect(decodePairs(Uint8Array.from([...bytes, 0]))).toEqual([]);
    }),
  );
});

test("any bytes at all give pairs or none, and never fail", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(decodePairs(bytes)).toBeInstanceOf(Array);
    }),
  );
});

test("a text without its NUL is no pairs", () => {
  const bytes = encodePairs([["a", "b"]]);
  bytes[bytes.length - 1] = 1;
  expect(decodePairs(bytes)).toEqual([]);
});

test("Envoy's limit of 1024 pairs", () => {
  const many = (count: number): Pairs => Array.from({ length: count }, () => ["a", "b"]);
  expect(decodePairs(encodePairs(many(1024)))).toHaveLength(1024);
  expect(decodePairs(encodePairs(many(1025)))).toEqual([]);
});

test("a headers callback that stops the headers stops everything; odd results stop too", () => {
  expect([0, 1, 2, 3, 4, 5, 0xffffffff].map((result) => headersStatus(result, false))).toEqual([
    "continue",
    "stop",
    "continue",
    "stop",
    "stop",
    "stop",
    "stop",
  ]);
  expect(headersStatus(0, true)).toBe("stop");
});
