import { expect, test } from "vitest";
import { withoutLater } from "./complaints.ts";

test("what of a log is from before another part of it", () => {
  expect(withoutLater("a\nb\nc\n", "b\nc\n")).toBe("a\n");
  expect(withoutLater("a\nb\nc\n", "b\n")).toBe("a\n"); // more was said meanwhile
  expect(withoutLater("b\nc\n", "a\nb\nc\n")).toBe(""); // it does not reach back so far
  expect(withoutLater("a\n", "")).toBe("a\n");
});
