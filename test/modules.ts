import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bare, sleb, wasm } from "../host/fixtures/wasm.ts";

/** What a module does besides adding `x-test` to responses; each value is AssemblyScript that goes into that callback. */
export interface Behaviour {
  /** The value of `x-test`. */
  value: string;
  onCreate?: string;
  onConfigure?: string;
  onResponse?: string;
  /** Top-level declarations. */
  declare?: string;
  /** Leaves the ABI version out. */
  noAbi?: boolean;
}

export interface TestModule {
  file: string;
  /** sha256, hex. */
  digest: string;
}

/** AssemblyScript without an SDK: small, quick to compile, and as broken as a test wants it. */
export function moduleSource(behaviour: Behaviour): string {
  const { value, onCreate = "", onConfigure = "return 1;", onResponse = "", declare = "", noAbi = false } = behaviour;
  const bytes = (text: string) => `memory.data<u8>([${[...Buffer.from(text)].join(", ")}])`;
  return `
@external("env", "proxy_replace_header_map_value")
declare function replaceHeader(map: i32, name: usize, nameSize: usize, value: usize, valueSize: usize): u32;
${declare}
const name = ${bytes("x-test")};
const value = ${bytes(value)};
const heap = memory.data(4096);
export function ${noAbi ? "some_other_name" : "proxy_abi_version_0_2_0"}(): void {}
export function malloc(size: usize): usize { return heap; }
export function proxy_on_context_create(context: u32, root: u32): void { ${onCreate} }
export function proxy_on_configure(context: u32, size: u32): u32 { ${onConfigure} }
export function proxy_on_response_headers(context: u32, count: u32, end: u32): u32 {
  ${onResponse}
  replaceHeader(2, name, 6, value, ${Buffer.byteLength(value)});
  return 0;
}
`;
}

/** Compiles a module into `directory`, named by its content. */
export function compileModule(directory: string, behaviour: Behaviour): Promise<TestModule> {
  return compileSource(directory, moduleSource(behaviour));
}

/** The same from any text of AssemblyScript. */
export async function compileSource(directory: string, source: string): Promise<TestModule> {
  const asc = await import("assemblyscript/asc");
  let bytes: Uint8Array | undefined;
  const messages: string[] = [];
  const stderr = { write: (text: string) => messages.push(text) };
  const { error } = await asc.main(
    ["module.ts", "--outFile", "module.wasm", "--runtime", "stub", "--use", "abort=", "-O"],
    {
      readFile: (name) => (name === "module.ts" ? source : null),
      writeFile: (_name, contents) => {
        bytes = contents as Uint8Array;
      },
      listFiles: () => [],
      stderr: stderr as never,
    },
  );
  if (error || !bytes) throw new Error(`the test's module does not compile:\n${messages.join("")}`);
  return save(directory, bytes);
}

/** A module that adds `x-test: big` and that Envoy compiles for a while, as it does with those of Go. */
export async function bigModule(directory: string, megabytes: number): Promise<TestModule> {
  const [name, value] = [2048, 2064];
  const add = {
    signature: "iii>i",
    exports: ["proxy_on_response_headers"],
    code: [0x41, 2, ...[name, 6, value, 3].flatMap((n) => [0x41, ...sleb(n)]), 0x10, 0, 0x1a, 0x41, 0],
  };
  const operators = [0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73]; // i32: add, sub, mul, and, or, xor
  const ballast = (n: number) => ({
    signature: "ii>i",
    code: [
      0x20,
      0,
      ...Array.from({ length: 1000 }, (_, i) => [0x20, (i + n) % 2, operators[(i + n) % 6] as number]).flat(),
    ],
  });
  const bytes = wasm({
    imports: { "env.proxy_replace_header_map_value": "iiiii>i" },
    functions: [...bare, add, ...Array.from({ length: megabytes * 333 }, (_, n) => ballast(n))],
    data: { [name]: [...Buffer.from("x-test")], [value]: [...Buffer.from("big")] },
  });
  return save(directory, bytes);
}

async function save(directory: string, wasm: Uint8Array): Promise<TestModule> {
  const digest = createHash("sha256").update(wasm).digest("hex");
  const file = join(directory, `${digest}.wasm`);
  await mkdir(directory, { recursive: true });
  await writeFile(file, wasm);
  return { file, digest };
}

/** Modules that Envoy takes no traffic through, with what it says of each. */
export const broken: Record<string, { behaviour: Behaviour; says: RegExp }> = {
  "traps at start": {
    behaviour: { value: "no", onCreate: "unreachable();" },
    says: /proxy_on_context_create failed: Uncaught RuntimeError: unreachable/,
  },
  "traps at configuration": {
    behaviour: { value: "no", onConfigure: "unreachable(); return 1;" },
    says: /proxy_on_configure failed: Uncaught RuntimeError: unreachable/,
  },
  "refuses its configuration": {
    behaviour: { value: "no", onConfigure: "return 0;" },
    says: /Failed to configure base Wasm plugin/,
  },
  "imports what Envoy does not have": {
    behaviour: {
      value: "no",
      declare: '@external("env", "proxy_dance") declare function dance(): void;',
      onResponse: "dance();",
    },
    says: /missing import: env.proxy_dance/,
  },
  "has no ABI version": { behaviour: { value: "no", noAbi: true }, says: /Missing or unknown Proxy-Wasm ABI version/ },
};
