import { PluginRefused } from "../abi/errors.ts";

/** Limits of an imported memory or table, in pages or elements. */
export interface Limits {
  initial: number;
  maximum?: number;
}

export interface ModuleImport {
  module: string;
  name: string;
  kind: "function" | "table" | "memory" | "global" | "tag";
  /** Of a function, as in `abi.ts`: `iI>i`; undefined where its type is one this reader does not know. */
  signature?: string;
  /** Of a memory or table. */
  limits?: Limits;
}

export interface ModuleExport {
  name: string;
  kind: number;
  index: number;
  /** Of a function. */
  signature?: string;
}

export interface ModuleOutline {
  /** undefined: there is an import of a kind that is newer than this reader. */
  imports?: ModuleImport[];
  exports: ModuleExport[];
}

const kinds = ["function", "table", "memory", "global", "tag"] as const;

/**
 * The imports and exports of a Wasm module, from its bytes, so that they can be checked as Envoy checks them even
 * where V8 cannot compile the code. Reads no code.
 * @throws PluginRefused where the bytes are no whole module
 */
export function readModule(bytes: Uint8Array): ModuleOutline {
  checkHeader(bytes);
  const sections = readSections(bytes);
  const types = readTypes(sections.get(1));
  const imports = readImports(sections.get(2), types);
  const functions = [
    ...(imports ?? []).filter(({ kind }) => kind === "function").map(({ signature }) => signature),
    ...readFunctions(sections.get(3), types),
  ];
  const exports = readExports(sections.get(7));
  for (const entry of exports) if (entry.kind === 0 && imports) entry.signature = functions[entry.index];
  return { imports, exports };
}

function checkHeader(bytes: Uint8Array): void {
  const hex = Buffer.from(bytes.subarray(0, 8)).toString("hex");
  if (bytes.length === 0) throw corrupted("it is empty");
  if (!hex.startsWith("0061736d")) {
    const text = Buffer.from(bytes.subarray(0, 12)).toString("latin1");
    throw corrupted(`it is no Wasm module, it begins with ${JSON.stringify(text)}`);
  }
  if (hex.length < 16) throw corrupted("it ends within its header");
  if (hex.slice(8) === "0d000100") throw corrupted("it is a WebAssembly component; proxies load core modules only");
  if (hex.slice(8) !== "01000000") throw corrupted(`it has the unknown version ${hex.slice(8)}`);
}

function corrupted(why: string): PluginRefused {
  return new PluginRefused(`Failed to parse corrupted Wasm module: ${why}`);
}

class Reader {
  readonly #bytes: Uint8Array;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    const value = this.#bytes[this.at++];
    if (value === undefined) throw corrupted(`a section ends in the middle (byte ${this.at - 1} of it)`);
    return value;
  }

  /** An unsigned LEB128 number; 64-bit limits come as they are, as long as they are exact. */
  number(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw corrupted("a number in it has no end");
  }

  take(length: number): Uint8Array {
    if (this.at + length > this.#bytes.length) {
      throw corrupted(`it is cut off: ${this.at + length - this.#bytes.length} bytes are missing`);
    }
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  text(): string {
    return Buffer.from(this.take(this.number())).toString("utf8");
  }
}

/** The sections by code; what is in a custom section plays no part. */
function readSections(bytes: Uint8Array): Map<number, Uint8Array> {
  const sections = new Map<number, Uint8Array>();
  const reader = new Reader(bytes);
  reader.at = 8;
  while (!reader.done) {
    const code = reader.byte();
    const content = reader.take(reader.number());
    if (code !== 0) sections.set(code, content);
  }
  return sections;
}

const valueTypes: Record<number, string> = { 127: "i", 126: "I", 125: "f", 124: "F" };

/** Function signatures by type index; those from the first type on that is newer than plain functions are left out. */
function readTypes(section: Uint8Array | undefined): string[] {
  const types: string[] = [];
  if (!section) return types;
  const reader = new Reader(section);
  for (let count = reader.number(); count > 0; count--) {
    if (reader.byte() !== 0x60) return types;
    const list = () => Array.from({ length: reader.number() }, () => valueTypes[reader.byte()] ?? "?").join("");
    const signature = `${list()}>${list()}`;
    // A reference type may be one byte or several: what comes after it cannot be read without knowing all of them.
    if (signature.includes("?")) return types;
    types.push(signature);
  }
  return types;
}

function readImports(section: Uint8Array | undefined, types: string[]): ModuleImport[] | undefined {
  const imports: ModuleImport[] = [];
  if (!section) return imports;
  const reader = new Reader(section);
  for (let count = reader.number(); count > 0; count--) {
    const [module, name] = [reader.text(), reader.text()];
    const kind = kinds[reader.byte()];
    if (kind === undefined) return undefined;
    const entry: ModuleImport = { module, name, kind };
    if (kind === "function") entry.signature = types[reader.number()];
    else if (kind === "memory") entry.limits = readLimits(reader);
    else if (kind === "table") {
      if (reader.byte() === 0x40) return undefined;
      entry.limits = readLimits(reader);
    } else if (kind === "global") {
      const type = reader.byte();
      if (type === 0x63 || type === 0x64) return undefined;
      reader.byte();
    } else {
      reader.byte();
      reader.number();
    }
    imports.push(entry);
  }
  return imports;
}

function readLimits(reader: Reader): Limits {
  const flags = reader.byte();
  const initial = reader.number();
  return flags & 1 ? { initial, maximum: reader.number() } : { initial };
}

function readFunctions(section: Uint8Array | undefined, types: string[]): (string | undefined)[] {
  if (!section) return [];
  const reader = new Reader(section);
  return Array.from({ length: reader.number() }, () => types[reader.number()]);
}

function readExports(section: Uint8Array | undefined): ModuleExport[] {
  if (!section) return [];
  const reader = new Reader(section);
  return Array.from({ length: reader.number() }, () => ({
    name: reader.text(),
    kind: reader.byte(),
    index: reader.number(),
  }));
}
