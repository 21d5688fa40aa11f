import fc from "fast-check";
import { expect, test } from "vitest";
import { prefersJson } from "./accept.ts";

test.each([
  "application/json",
  "Application/JSON; charset=utf-8",
  "application/*",
  "application/json, */*",
  "application/json, text/plain, */*", // axios
  "text/html, application/json;q=0.9, */*;q=0.8",
  "text/plain;q=0.5, application/json",
  "text/plain;q=0, application/json;q=0.1",
])("JSON for %j", (accept) => {
  expect(prefersJson(accept)).toBe(true);
});

test.each([
  undefined,
  "",
  "*/*",
  "text/plain",
  "text/*, application/*;q=0.9",
  "text/plain, application/json",
  "application/json;q=0",
  "application/json;q=0, */*",
  "application/json;q=0.4, text/plain;q=0.5",
  "application/json;q=nonsense",
  "application/jsonp",
  "image/png",
  ";;;,,/,q=",
])("text for %j", (accept) => {
  expect(prefersJson(accept)).toBe(false);
});

test("the higher quality wins, in either order, with other types between", () => {
  const quality = fc.nat(1000).map((thousandths) => thousandths / 1000);
  fc.assert(
    fc.property(quality, quality, fc.boolean(), (json, text, swap) => {
      fc.pre(json !== text);
      const ranges = [`application/json;q=${json}`, "image/*", `text/plain;q=${text}`];
      expect(prefersJson((swap ? ranges.reverse() : ranges).join(", "))).toBe(json > text);
    }),
  );
});

test("no header makes it throw", () => {
  fc.assert(fc.property(fc.string(), (accept) => void prefersJson(accept)));
});
