import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { removeKubeconfigCopies } from "./left-by-plugins.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "left-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const original = "apiVersion: v1\nkind: Config\n";
const write = (name: string, text: string) => writeFileSync(join(folder, name), text);

it("copies of the stack's kubeconfig go, and nothing else", () => {
  write("original", original);
  write("kubeconfig12", original.trim());
  write("kubeconfig13", "another cluster's");
  write("kubeconfig", original);
  mkdirSync(join(folder, "kubeconfig14"));
  removeKubeconfigCopies(join(folder, "original"), folder);
  expect(readdirSync(folder).sort()).toEqual(["kubeconfig", "kubeconfig13", "kubeconfig14", "original"]);
});

it("nothing is wrong where there is no folder, or a copy goes just now", () => {
  write("original", original);
  symlinkSync(join(folder, "gone"), join(folder, "kubeconfig15"));
  expect(() => removeKubeconfigCopies(join(folder, "original"), folder)).not.toThrow();
  expect(() => removeKubeconfigCopies(join(folder, "original"), join(folder, "nowhere"))).not.toThrow();
});

it.each(["missing", "empty"])("where the stack's own is %s, nothing goes", (name) => {
  write("empty", "");
  write("kubeconfig12", "");
  removeKubeconfigCopies(join(folder, name), folder);
  expect(readdirSync(folder)).toContain("kubeconfig12");
});
