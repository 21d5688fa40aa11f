import { describe, expect, it, vi } from "vitest";
import { inJson } from "./redact.ts";

/** Each test begins with nothing to hide. */
async function fresh() {
  vi.resetModules();
  return import("./redact.ts");
}

describe("what must not be printed", () => {
  it("is left out of every text, also as JSON has it", async () => {
    const { neverPrint, redact, redactIn } = await fresh();
    neverPrint(['hush"\n', "other"]);
    expect(redact(`a hush"\n b ${JSON.stringify({ k: 'hush"\n' })} others`)).toBe(
      'a [secret] b {"k":"[secret]"} [secret]s',
    );
    expect(redactIn({ other: ["other", 1, null, { deep: "an other" }] })).toEqual({
      "[secret]": ["[secret]", 1, null, { deep: "an [secret]" }],
    });
  });

  it("is the longer one first, whatever comes later", async () => {
    const { neverPrint, redact } = await fresh();
    neverPrint(["abc"]);
    neverPrint(["abcdef"]);
    expect(redact("abcdef abc")).toBe("[secret] [secret]");
  });

  it("is each line of several, as logs and errors show them", async () => {
    const { neverPrint, redact } = await fresh();
    neverPrint(["-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----\n"]);
    expect(redact("the module says: MIIEvQIBADAN")).toBe("the module says: [secret]");
  });

  it("is nothing that would be found everywhere", async () => {
    const { neverPrint, redact } = await fresh();
    neverPrint(["", "a", "42", " ", "true", "FALSE"]);
    expect(redact("a 42 true FALSE")).toBe("a 42 true FALSE");
  });

  it("is nothing at first", async () => {
    const { redact, redactIn } = await fresh();
    const value = { a: new Date(0) };
    expect([redact("x"), redactIn(value)]).toEqual(["x", value]);
  });
});

it("a text in JSON is as it stands between the quotes", () => {
  expect(inJson('a"b\\')).toBe('a\\"b\\\\');
});
