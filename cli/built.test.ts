import { existsSync, readdirSync, utimesSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { inSources } from "../lib/stack-trace.ts";

// Plain JavaScript, since it is loaded as it is.
const { build } = (await import(String(new URL("./built.mjs", import.meta.url)))) as {
  build(root: string, entries: string[]): Promise<string>;
};

const entry = "cli/main.ts";
let clone: string;

beforeEach(async () => {
  clone = await mkdtemp(join(tmpdir(), "meshup-built-"));
  await write("package-lock.json", "{}");
  await write("cli/built.mjs", "");
  await write(entry, 'import { word } from "../lib/word.ts";\nexport const said: string = word;\n');
  await write("lib/word.ts", 'export const word: string = "one";\n');
});

afterEach(() => rm(clone, { recursive: true }));

/** Each time at another time, however quick one follows another. */
let seconds = 0;
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

test("earlier ones go, but for the last few", async () => {
  const folders: string[] = [];
  for (let i = 0; i < 5; i++) {
    await write("lib/word.ts", `export const word: string = "${i}";\n`);
    folders.push(await build(clone, [entry]));
  }
  expect(folders.map(existsSync)).toEqual([false, false, true, true, true]);
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
