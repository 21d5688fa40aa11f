import { describe, expect, it, test } from "vitest";
import { parse } from "yaml";
import { agree, readByPulumi, readByYaml } from "./yaml-scalars.ts";

describe("a plain scalar means the same to Pulumi and in YAML 1.2", () => {
  it.each(
    [
      "text",
      "yes",
      "no",
      "on",
      "off",
      "y",
      "12:30:45",
      "true",
      "TRUE",
      "~",
      "",
      "Null",
      "0",
      "12",
      "-12",
      "+12",
      "1.5",
      ".5",
    ]
      .concat([
        "5.",
        "1e3",
        "1E-3",
        "08",
        "0o17",
        "0x1F",
        "1.2.3",
        "127.0.0.1",
        "v1",
        "2024",
        "2024-13-01",
        "1_x",
        "0o8",
      ])
      .concat(["18446744073709551615", "123456789012345678901234567890", ".inf", "-.INF", ".nan", "+1-800", "nUll"]),
  )("%j", (text) => expect(agree(readByPulumi(text), readByYaml(text))).toBe(true));
});

describe("a plain scalar that means one thing to Pulumi and another in YAML 1.2", () => {
  // As gopkg.in/yaml.v3 v3.0.1 reads them.
  it.each([
    ["0777", { is: "number", value: "511" }],
    ["0123", { is: "number", value: "83" }],
    ["1_000", { is: "number", value: "1000" }],
    ["0b101", { is: "number", value: "5" }],
    ["-0x1F", { is: "number", value: "-31" }],
    ["0x1_F", { is: "number", value: "31" }],
    [".1_0", { is: "number", value: ".10" }],
    ["2024-01-01", { is: "date" }],
    ["2024-1-1", { is: "date" }],
    ["2024-02-29", { is: "date" }],
    ["2024-01-01T10:20:30Z", { is: "date" }],
    ["2024-01-01t1:2:3.5+01:00", { is: "date" }],
    ["2024-01-01 10:20:30", { is: "date" }],
    ["1e400", { is: "text" }],
  ])("%s", (text, reading) => {
    expect(readByPulumi(text)).toEqual(reading);
    expect(agree(readByPulumi(text), readByYaml(text))).toBe(false);
  });

  test("a day that no calendar has is text to both", () => {
    expect(readByPulumi("2023-02-29")).toEqual({ is: "text" });
  });
});

test("YAML 1.2 is read as the library reads it", () => {
  const typeOf = (value: unknown) => (value === null ? "null" : typeof value === "string" ? "text" : typeof value);
  for (const text of [
    "0777",
    "1_000",
    "0x1F",
    "0o17",
    ".inf",
    "~",
    "2024-01-01",
    "True",
    "1e3",
    "-0x1",
    "+.INF",
    ".NaN",
  ])
    expect(readByYaml(text).is, text).toBe(typeOf(parse(text)));
});
