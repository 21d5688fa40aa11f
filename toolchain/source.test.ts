import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { sha256 } from "../lib/sha256.ts";
import { resolveModule } from "./source.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "meshup-source-"));
});

afterEach(() => rm(folder, { recursive: true }));

async function put(files: Record<string, string | Uint8Array>, where = folder): Promise<void> {
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(where, file)), { recursive: true });
    await writeFile(join(where, file), content);
  }
}

const hash = async (where = folder) => (await resolveModule(where)).sourceHash;

test("assembly/index.ts is preferred to index.ts, and asconfig.json's entry to both", async () => {
  await put({ "index.ts": "" });
  expect(await resolveModule(folder)).toMatchObject({ kind: "assemblyscript", path: folder, entry: "index.ts" });
  await put({ "assembly/index.ts": "" });
  expect(await resolveModule(folder)).toMatchObject({ entry: "assembly/index.ts" });
  await put({ "src/main.ts": "", "asconfig.json": `{"entries": ["./src/main.ts"]}` });
  expect(await resolveModule(folder)).toMatchObject({ entry: "src/main.ts" });
});

test("the project's own filter is found relative to the clone", async () => {
  expect(await resolveModule("filter")).toMatchObject({ kind: "assemblyscript", entry: "assembly/index.ts" });
});

test("the hash is that of the content, wherever the folder is", async () => {
  const files = { "assembly/index.ts": "export const a = 1;", "assembly/b.ts": "" };
  const elsewhere = join(folder, "elsewhere");
  await put(files, join(folder, "here"));
  await put(files, elsewhere);
  expect(await hash(elsewhere)).toBe(await hash(join(folder, "here")));
});

test("each source, its name and the options change the hash", async () => {
  const hashes = [];
  await put({ "assembly/index.ts": "" });
  hashes.push(await hash());
  await put({ "assembly/index.ts": "// x" });
  hashes.push(await hash());
  await put({ "assembly/other.ts": "" });
  hashes.push(await hash());
  await rm(join(folder, "assembly/other.ts"));
  await put({ "assembly/third.ts": "" });
  hashes.push(await hash());
  await put({ "asconfig.json": `{"options": {"runtime": "stub"}}` });
  hashes.push(await hash());
  expect(new Set(hashes).size).toBe(hashes.length);
});

test("what does not go into the module does not change the hash", async () => {
  await put({ "assembly/index.ts": "" });
  const before = await hash();
  await put({
    "README.md": "x",
    "cases.yaml": "x",
    "cases/a.ts": "x",
    "build/b.ts": "x",
    "node_modules/c/index.ts": "x",
    ".cache/d.json": "x",
  });
  expect(await hash()).toBe(before);
});

test("a ready module's hash is that of its bytes", async () => {
  const bytes = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  await put({ "ready.wasm": bytes });
  expect(await resolveModule(join(folder, "ready.wasm"))).toEqual({
    kind: "wasm",
    path: join(folder, "ready.wasm"),
    sourceHash: sha256(bytes),
    build: expect.any(Function),
  });
});

test.for<[string, Record<string, string | Uint8Array>, string, RegExp]>([
  ["nothing there", {}, "none", /none: there is no such file or folder \(looked for .*\nA module is a folder with/s],
  ["a folder without source", { "README.md": "" }, ".", /looked for assembly\/index\.ts, index\.ts\.\nA module is/],
  [
    "an entry that is not there",
    { "asconfig.json": `{"entries": ["a.ts"]}`, "index.ts": "" },
    ".",
    /looked for a\.ts \("entries" in its asconfig\.json\)/,
  ],
  ["two entries", { "asconfig.json": `{"entries": ["a.ts", "b.ts"]}` }, ".", /"entries" has 2 files; a filter has one/],
  ["an entry outside", { "asconfig.json": `{"entries": ["../a.ts"]}` }, ".", /\.\.\/a\.ts must lie within the filter/],
  ["another file", { "a.txt": "x" }, "a.txt", /a\.txt is neither a folder nor a \.wasm file/],
  ["no WebAssembly", { "a.wasm": "hello world" }, "a.wasm", /a\.wasm is not a WebAssembly module/],
  ["a cut file", { "a.wasm": "\0asm" }, "a.wasm", /not a core WebAssembly module/],
  [
    "a component",
    { "a.wasm": new Uint8Array([0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]) },
    "a.wasm",
    /not a core WebAssembly module of version 1 \(a component\?\)/,
  ],
])("refused: %s", async ([, files, path, message]) => {
  await put(files);
  const error = await resolveModule(join(folder, path)).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  expect(error.message).toMatch(message);
});
