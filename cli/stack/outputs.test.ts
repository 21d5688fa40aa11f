import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import { filterOutputs } from "../inspect/proof.ts";
import { opened, outputsOf, resolveOutputs } from "./outputs.ts";

const sealed = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", ciphertext: "v1:x" };
const deployment = (outputs: object) => ({
  resources: [{ urn: "", type: "pulumi:pulumi:Stack", outputs: { ...outputs } }],
});

describe("the outputs in a state", () => {
  it("are shown without what is secret, however deep", () => {
    expect(
      outputsOf(
        deployment({ a: 1, filters: [{ name: "x", expect: sealed }, { headers: { h: sealed } }], all: sealed }),
      ),
    ).toEqual({
      a: 1,
      filters: [{ name: "x", expect: "[secret]" }, { headers: { h: "[secret]" } }],
      all: "[secret]",
    });
  });

  it("are opened where the engine shows its secrets", () => {
    const plaintext = (value: unknown) => ({ ...sealed, ciphertext: undefined, plaintext: JSON.stringify(value) });
    const state = { a: 1, list: [plaintext("hush"), null], all: plaintext({ b: [plaintext("deep")], c: "d" }) };
    expect(opened(state)).toEqual({ a: 1, list: ["hush", null], all: { b: ["deep"], c: "d" } });
  });

  it("are none before the first up", () => expect(outputsOf(undefined)).toEqual({}));
});

describe("the outputs of a program", () => {
  it("are known in full, and shown without what is secret", async () => {
    const outputs = {
      url: pulumi.output("http://x"),
      filters: [{ name: "a", image: pulumi.output(undefined), expect: pulumi.secret({ h: "hush" }) }],
      later: Promise.resolve(["p"]),
      none: undefined,
    };
    const { known, shown } = await resolveOutputs(outputs, pulumi);
    expect(known).toEqual({ url: "http://x", filters: [{ name: "a", expect: { h: "hush" } }], later: ["p"] });
    expect(shown).toEqual({ url: "http://x", filters: [{ name: "a", expect: "[secret]" }], later: ["p"] });
    expect(filterOutputs({ filters: [{ ...(known.filters as object[])[0], digest: "d" }] }, shown)).toEqual([
      { name: "a", digest: "d", expect: { h: "hush" }, secret: ["expect"] },
    ]);
  });
});
