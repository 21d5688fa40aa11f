import { existsSync, readdirSync, statSync, utimesSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { build as esbuild } from "esbuild";
import { afterEach, beforeEach, expect, test } from "vitest";
import { root } from "./paths.ts";
import { inSources } from "./stack-trace.ts";

// Plain JavaScript, since it is loaded as it is.
const { build, entries, sourcesOf } = (await import(String(new URL("./built.mjs", import.meta.url)))) as {
  build(root: string, entries: string[]): Promise<string>;
  entries: string[];
  sourcesOf(root: string): string[];
};

const entry = "cli/main.ts";
let clone: string;

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), "meshup-built-"));
  await write("package-lock.json", "{}");
  await write("tsconfig.json", "{}");
  await write("lib/built.mjs", "");
  await write(entry, 'import { word } from "../lib/word.ts";\nexport const said: string = word;\n');
  await write("lib/word.ts", 'export const word: string = "one";\n');
});

afterEach(() => rm(clone, { recursive: true }));

/** Each time at another time, however quick one follows another. */
let seconds = 0;
beforeEach(() => {
  seconds = 0;
});
async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(clone, file)), { recursive: true });
  await writeFile(join(clone, file), text);
  utimesSync(join(clone, file), ++seconds, seconds);
}

async function load(): Promise<Record<string, unknown>> {
  return import(String(pathToFileURL(join(await build(clone, [entry]), "cli/main.mjs"))));
}

test("what has not changed is not built again", async () => {
  const folder = await build(clone, [entry]);
  await writeFile(join(folder, "cli/main.mjs"), 'export const said = "as it was";');
  expect((await load()).said).toBe("as it was");
});

test("a changed source is in force at once", async () => {
  expect((await load()).said).toBe("one");
  await write("lib/word.ts", 'export const word: string = "two";\n');
  expect((await load()).said).toBe("two");
});

test("a file knows where its source is", async () => {
  await write(entry, "export const here = import.meta.url;\n");
  expect((await load()).here).toBe(String(pathToFileURL(join(clone, entry))));
});

test("two at once build one", async () => {
  const folders = await Promise.all([build(clone, [entry]), build(clone, [entry])]);
  expect(new Set(folders).size).toBe(1);
  expect(readdirSync(join(clone, ".meshup/build"))).toHaveLength(1);
});

test("a build goes a day after it was used last", async () => {
  const used = await build(clone, [entry]);
  const { mtime } = statSync(join(clone, "lib/word.ts"));
  await write("lib/word.ts", 'export const word: string = "two";\n');
  const unused = await build(clone, [entry]);
  const twoDaysAgo = Date.now() / 1000 - 2 * 24 * 3600;
  for (const folder of [used, unused]) utimesSync(folder, twoDaysAgo, twoDaysAgo);
  await write("lib/word.ts", 'export const word: string = "one";\n');
  utimesSync(join(clone, "lib/word.ts"), mtime, mtime); // as it was at first
  expect(await build(clone, [entry])).toBe(used);
  await write("lib/word.ts", 'export const word: string = "three";\n');
  await build(clone, [entry]);
  expect([used, unused].map((folder) => existsSync(folder))).toEqual([true, false]);
});

test("a clone that was moved is built anew, and knows its new place", async () => {
  await write(entry, "export const here = import.meta.url;\n");
  await load();
  const before = clone;
  clone = `${before}-moved`;
  await rename(before, clone);
  expect((await load()).here).toBe(String(pathToFileURL(join(clone, entry))));
});

test("no source that is built is left out where it is looked for changes", async () => {
  const { metafile } = await esbuild({
    absWorkingDir: root,
    entryPoints: entries,
    bundle: true,
    write: false,
    metafile: true,
    packages: "external",
    platform: "node",
    format: "esm",
    outdir: "out",
  });
  const known = new Set(sourcesOf(root));
  expect(Object.keys(metafile.inputs).filter((file) => !known.has(file))).toEqual([]);
});

test("what cannot be built is told with file and line, and leaves nothing", async () => {
  await write("lib/word.ts", "export const word = ;\n");
  await expect(build(clone, [entry])).rejects.toThrow(/lib\/word\.ts:1:20: ERROR: Unexpected ";"/);
  expect(existsSync(join(clone, ".meshup/build"))).toBe(false);
});

test("a stack names the sources", async () => {
  await write(entry, 'interface Ours {}\n\nexport function fail(_: Ours): void {\n  throw new Error("no");\n}\n');
  const { fail } = await load();
  let stack = "";
  try {
    (fail as (ours: object) => void)({});
  } catch (error) {
    stack = inSources((error as Error).stack ?? "");
  }
  expect(stack).toMatch(/cli\/main\.ts:4:9/);
  expect(stack).not.toContain("main.mjs");
});
