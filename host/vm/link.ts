import { type AbiVersion, abiVersionExports, callbackSignatures } from "../abi/abi.ts";
import { PluginRefused, UnsupportedModule } from "../abi/errors.ts";
import type { ModuleExport, ModuleOutline } from "./binary.ts";

/** Host functions' signatures by `module.name`. */
type Signatures = ReadonlyMap<string, { signature: string }>;

/** Envoy takes the first ABI version in the export section, by name alone. */
export function abiOf({ exports }: ModuleOutline): AbiVersion {
  const version = exports.find(({ name, kind }) => kind === 0 && name in abiVersionExports);
  if (version) return abiVersionExports[version.name] as AbiVersion;
  const others = exports.filter(({ name }) => name.startsWith("proxy_abi_version_")).map(({ name }) => name);
  const found = others.length ? `the module exports ${others.join(", ")}` : "the module exports none";
  throw new PluginRefused(
    `Missing or unknown Proxy-Wasm ABI version: ${found}, the proxy knows ${Object.keys(abiVersionExports).join(", ")}`,
  );
}

/** Envoy stops at the first import it does not have; this names them all. */
export function checkImports({ imports }: ModuleOutline, functions: Signatures): void {
  if (!imports) return;
  const missing = imports.filter(({ module, name, kind }) =>
    kind === "function" ? !functions.has(`${module}.${name}`) : kind === "global" || kind === "tag",
  );
  if (missing.length > 0) {
    const names = [...new Set(missing.map(({ module, name }) => `${module}.${name}`))];
    const hint = names.includes("env.abort")
      ? " (AssemblyScript's abort: compile with --use abort=abort_proc_exit, or another function of your own)"
      : "";
    throw new PluginRefused(`Failed to load Wasm module due to a missing import: ${names.join(", ")}${hint}`);
  }
  const wrong = imports.flatMap(({ module, name, signature }) => {
    const has = functions.get(`${module}.${name}`)?.signature;
    if (has === undefined || signature === undefined || has === signature) return [];
    return [`${module}.${name}, want: ${spell(signature)}, but host exports: ${spell(has)}`];
  });
  if (wrong.length > 0) {
    throw new PluginRefused(`Failed to load Wasm module due to an import type mismatch: ${wrong.join("; ")}`);
  }
}

/** The callbacks that the module has. */
export function checkExports({ exports }: ModuleOutline, abi: AbiVersion): ModuleExport[] {
  const wanted = callbackSignatures(abi);
  const callbacks = exports.filter(({ name, kind }) => kind === 0 && name in wanted);
  const wrong = callbacks.flatMap(({ name, signature }) =>
    signature === undefined || signature === wanted[name]
      ? []
      : [`${name}, want: ${spell(wanted[name] as string)}, but the module exports: ${spell(signature)}`],
  );
  if (wrong.length > 0) throw new PluginRefused(`Bad function signature for: ${wrong.join("; ")}`);
  if (!callbacks.some(({ name }) => name === "malloc" || name === "proxy_on_memory_allocate")) {
    throw new PluginRefused(
      "Wasm module is missing malloc function: it exports neither malloc nor proxy_on_memory_allocate",
    );
  }
  return callbacks;
}

/** A signature as Envoy writes it: `i32 i64 -> void`. */
function spell(signature: string): string {
  const names: Record<string, string> = { i: "i32", I: "i64", f: "f32", F: "f64" };
  const [parameters, results] = signature.split(">").map((part) => [...part].map((type) => names[type]).join(" "));
  return `${parameters || "void"} -> ${results || "void"}`;
}

/**
 * What V8 says of a code it does not know, in a module whose sections are whole: an opcode, type, section, flag or
 * limit. All that it says of codes it does know (types that do not match, indexes out of bounds) is a real mistake.
 */
const unknownToV8 =
  /enable (with|via) --|^invalid opcode|invalid (numeric|simd|atomic) opcode|opcode not available|unknown (section|type) code|unknown type form|expected signature definition|invalid (value|heap) type|limits flags|memory count of|(import|export) kind|illegal flag value|not allowed in constant expressions|actual alignment is (6[4-9]|[7-9]\d|\d{3,})/i;

export function compile(bytes: Uint8Array): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    const message = error.message.replace(/^WebAssembly\.Module\(\): /, "");
    const cause = message.replace(/^Compiling function #\d+(:".*?")? failed: /, "");
    if (unknownToV8.test(cause)) throw new UnsupportedModule(message);
    throw new PluginRefused(`Failed to load Wasm bytecode: ${message}`);
  }
}
