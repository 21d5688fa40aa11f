import { expect, test } from "vitest";
import { maxKnown, secretsType } from "./secrets.ts";

const context = { signal: new AbortController().signal, env: {} };
const { create, update } = secretsType;

test("what was a secret before is still known, each once, the newest first", async () => {
  const first = { values: ["a", "b", "a"], ...(await create({ values: ["a", "b", "a"] }, context)) };
  expect(first.known).toEqual(["a", "b"]);
  expect(await update(first, { values: ["c", "b"] }, context)).toEqual({ known: ["c", "b", "a"] });
});

test("not without end", async () => {
  const values = Array.from({ length: maxKnown + 1 }, (_, i) => `secret ${i}`);
  const { known } = await create({ values }, context);
  expect(known).toHaveLength(maxKnown);
});
