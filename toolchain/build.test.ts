import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { root } from "../lib/paths.ts";
import { sha256 } from "../lib/sha256.ts";
import { buildModule, buildTo } from "./build.ts";
import { scaffold } from "./new.ts";
import { resolveModule } from "./source.ts";

let scratch: string;
let out: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "meshup-build-"));
  out = join(scratch, "modules");
});

afterEach(() => rm(scratch, { recursive: true }));

async function folderWith(source: string): Promise<string> {
  const folder = join(scratch, "mine");
  await mkdir(join(folder, "assembly"), { recursive: true });
  await writeFile(join(folder, "assembly/index.ts"), source);
  return folder;
}

function instantiate(bytes: Uint8Array): Record<string, unknown> {
  return new WebAssembly.Instance(new WebAssembly.Module(bytes), {}).exports;
}

const build = async (path: string, outDir = out) => buildModule(await resolveModule(path), outDir);

async function failure(path: string): Promise<string> {
  const error = await build(path).catch((error) => error);
  expect(error).toBeInstanceOf(UserError);
  return error.message;
}

test("a module is named by its content", async () => {
  const { sha256: hash, path, bytes } = await build(await folderWith("export function one(): i32 { return 1; }"));
  const content = await readFile(path);
  expect(path).toBe(join(out, `${hash}.wasm`));
  expect([sha256(content), content.length]).toEqual([hash, bytes]);
  const { one } = instantiate(content) as { one: () => number };
  expect(one()).toBe(1);
});

test("a folder with another runtime compiles after the project's filter, in the same compiler", async () => {
  const folder = await folderWith("export function text(n: i32): string { return n.toString(); }");
  await build("filter");
  const bytes = await readFile((await build(folder)).path);
  expect(() => new WebAssembly.Module(bytes)).not.toThrow();
  const again = join(scratch, "again");
  const [one, two] = [await build("filter"), await build("filter", again)];
  expect(two.sha256).toBe(one.sha256);
});

test("the same sources give the same bytes in another folder", async () => {
  const source = `export * from "@solo-io/proxy-runtime/assembly/proxy"; import "@solo-io/proxy-runtime/assembly";`;
  const first = await folderWith(source);
  const second = join(scratch, "some/where/else");
  await cp(first, second, { recursive: true });
  const one = await build(first, join(scratch, "one"));
  const two = await build(second, join(scratch, "two"));
  expect(two.sha256).toBe(one.sha256);
  const text = (await readFile(one.path)).toString("latin1");
  expect(text).not.toContain(scratch);
  expect(text).not.toContain(root);
});

test("what was built is not built again, unless the module is no longer what it was", async () => {
  const folder = await folderWith("export const a = 1;");
  const first = await build(folder);
  const source = await resolveModule(folder);
  await rm(folder, { recursive: true }); // a build would fail now
  expect(await buildModule(source, out)).toEqual(first);

  await folderWith("export const a = 1;");
  await writeFile(first.path, "cut short");
  expect(await build(folder)).toEqual(first);
  expect(sha256(await readFile(first.path))).toBe(first.sha256);

  await writeFile(join(out, `${source.sourceHash}.json`), "{");
  expect(await build(folder)).toEqual(first);
});

test("nothing half-written stays, and a failed build leaves nothing", async () => {
  await build(await folderWith("export const a = 1;"));
  const before = (await readdir(out)).sort();
  expect(before.map((file) => file.replace(/^[0-9a-f]{64}/, "#")).sort()).toEqual(["#.json", "#.wasm"]);
  await failure(await folderWith("export const a: i32 = nothing;"));
  expect((await readdir(out)).sort()).toEqual(before);
});

test("a source that changes between the look and the build is refused", async () => {
  const source = await resolveModule(await folderWith("export const a = 1;"));
  await folderWith("export const a = 2;");
  await expect(buildModule(source, out)).rejects.toThrow("was changed while it was built. Run the command again.");
});

test("a ready module is taken as it is", async () => {
  const fixture = join(root, "test/fixtures/header-in-rust/header-in-rust.wasm");
  const built = await build(fixture);
  expect(await readFile(built.path)).toEqual(await readFile(fixture));
  expect(built.path).toBe(join(out, `${sha256(await readFile(fixture))}.wasm`));
});

test("a type error is told with file, line and the line's text", async () => {
  const message = await failure(
    await folderWith(`export function a(): i32 {\n  const text: string = 5;\n  return nothing;\n}\n`),
  );
  expect(message).toContain("mine does not compile:");
  expect(message).toMatch(/ERROR TS2322: Type 'i32' is not assignable to type '~lib\/string\/String'\./);
  expect(message).toContain(`const text: string = 5;`);
  expect(message).toContain("in assembly/index.ts(2,24)");
  expect(message).toMatch(/Cannot find name 'nothing'[\s\S]*in assembly\/index\.ts\(3,10\)/);
});

test("a syntax error is told with file and line", async () => {
  expect(await failure(await folderWith("export function (: i32 {"))).toMatch(
    /ERROR TS\d+:[\s\S]*assembly\/index\.ts\(1,/,
  );
});

test("an import that is not there is told, and one that leaves the folder is explained", async () => {
  expect(await failure(await folderWith(`import { a } from "./missing"; export const b = a;`))).toMatch(
    /File 'assembly\/missing\.ts' not found/,
  );
  expect(await failure(await folderWith(`import { a } from "../../outside"; export const b = a;`))).toMatch(
    /outside\.ts' not found[\s\S]*What it imports must lie within .*mine/,
  );
});

test("after a compile error the next build works", async () => {
  await failure(await folderWith("export const a: i32 = nothing;"));
  expect((await build(await folderWith("export const a = 1;"))).bytes).toBeGreaterThan(0);
});

test("builds that are asked for at once do not disturb each other", async () => {
  const folders = await Promise.all(
    [1, 2, 3].map(async (n) => {
      const folder = join(scratch, `mine${n}`);
      await mkdir(folder);
      await writeFile(join(folder, "index.ts"), `export function n(): i32 { return ${n}; }`);
      return folder;
    }),
  );
  const built = await Promise.all(folders.map((folder) => build(folder)));
  const answers = built.map(async ({ path }) => {
    return (instantiate(await readFile(path)) as { n: () => number }).n();
  });
  expect(await Promise.all(answers)).toEqual([1, 2, 3]);
});

test("a scaffolded filter compiles outside of the clone", async () => {
  await scaffold("my-filter", scratch, "one");
  const built = await build(join(scratch, "filters/my-filter"));
  expect((await readFile(built.path)).includes("proxy_on_response_headers")).toBe(true);
});

test("the project's filter exports what a proxy calls, and no more", async () => {
  const target = join(scratch, "build/filter.wasm");
  const built = await buildTo(target);
  const bytes = await readFile(target);
  expect([built.path, built.sha256, built.bytes]).toEqual([target, sha256(bytes), bytes.length]);
  const environment = new Proxy({}, { get: () => () => 0 });
  const imports = { env: environment, wasi_snapshot_preview1: environment }; // from nowhere else
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  expect(Object.keys(exports).sort()).toEqual([
    "malloc",
    "memory",
    "proxy_abi_version_0_2_0",
    "proxy_on_configure",
    "proxy_on_http_call_response",
    "proxy_on_response_headers",
    "proxy_on_tick",
  ]);
});
