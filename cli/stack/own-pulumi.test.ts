import { describe, expect, it } from "vitest";
import { readStackFile } from "../../lib/stack-file.ts";
import { notesForOwnPulumi } from "./own-pulumi.ts";

const notes = (text: string, platform: NodeJS.Platform = "linux") =>
  notesForOwnPulumi("Pulumi.local.yaml", readStackFile(text, "f"), platform);

describe("what the person's own pulumi up makes of a stack's file otherwise", () => {
  it("is nothing as a rule", () => {
    expect(notes("config:\n  meshup:mesh: standalone\n")).toEqual([]);
  });

  it("is each value that it reads otherwise", () => {
    expect(notes("config:\n  meshup:a: 2024-01-01\n  meshup:b: 1_000\n")).toEqual([
      "Pulumi.local.yaml, as `pulumi up` reads it:",
      expect.stringMatching(/^ {2}meshup:a: 2024-01-01 is a date/),
      expect.stringMatching(/^ {2}meshup:b: 1_000 is 1000 to Pulumi/),
    ]);
  });

  it("is a configuration that its environment cannot take: by size, limit and key", () => {
    const text = `config:\n  meshup:small: a\n  meshup:filters: [${"x".repeat(100_000)}]\n  meshup:more: ${"y".repeat(40_000)}\n`;
    expect(notes(text)).toEqual([
      expect.stringMatching(
        /has 140,\d{3} bytes there, and 131,071 bytes are the most\. The largest: meshup:filters \(100,008 bytes\), meshup:more \(40,002 bytes\), meshup:small/,
      ),
    ]);
    expect(notes(text, "darwin")).toEqual([]);
  });

  it("reckons with the quotes that are escaped on the way", () => {
    expect(notes(`config:\n  meshup:a: ["${'\\"'.repeat(50_000)}"]\n`)).toHaveLength(1);
    expect(notes(`config:\n  meshup:a: ["${"q".repeat(50_000)}"]\n`)).toHaveLength(0);
  });
});
