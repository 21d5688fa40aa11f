import { expect, test } from "vitest";
import { headerBytes, headerLists, headerRecord, headerText, inHeaderBytes } from "./header-text.ts";

test.each([
  ["ASCII", "custom-value", "custom-value"],
  ["UTF-8 of two bytes", "Gr\u00c3\u00bc\u00c3\u009fe", "Grüße"],
  ["UTF-8 of four bytes", "\u00f0\u009f\u0098\u0080", "😀"],
  ["Latin-1", "Gr\u00fc\u00dfe", "Grüße"],
  ["UTF-8 that is cut short", "Gr\u00c3", "Gr\u00c3"],
  ["a byte order mark, which belongs to the text", "\u00ef\u00bb\u00bfx", "\ufeffx"],
  ["nothing", "", ""],
])("bytes are read as UTF-8, else as Latin-1: %s", (_what, bytes, text) => {
  expect(headerText(bytes)).toBe(text);
});

test.each(["plain", "Grüße", "żółw", "😀", ""])("%j goes out as UTF-8", (text) => {
  expect(Buffer.from(headerBytes(text), "latin1").toString("utf8")).toBe(text);
  expect(headerText(headerBytes(text))).toBe(text);
});

test("names in lower case, each with all of its values", () => {
  const raw = ["Set-Cookie", "a", "Age", "1", "set-cookie", "Gr\u00fc\u00dfe", "AGE", "2", "__proto__", "x"];
  expect(headerLists(raw)).toEqual([
    ["set-cookie", ["a", "Grüße"]],
    ["age", ["1", "2"]],
    ["__proto__", ["x"]],
  ]);
  expect(headerRecord(raw)).toMatchObject({ "set-cookie": "a, Grüße", age: "1, 2" });
});

test("all of a message's at once", () => {
  expect(inHeaderBytes<string | string[]>({ a: "ü", b: ["ü", "x"] })).toEqual({ a: "Ã¼", b: ["Ã¼", "x"] });
});
