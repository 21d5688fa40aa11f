import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
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

it.each(["missing", "empty"])("where the stack's own is %s, nothing goes", (name) => {
  write("empty", "");
  write("kubeconfig12", "");
  removeKubeconfigCopies(join(folder, name), folder);
  expect(readdirSync(folder)).toContain("kubeconfig12");
});
