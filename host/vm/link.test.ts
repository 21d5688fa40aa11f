import { describe, expect, test } from "vitest";
import { FilterTrap, PluginRefused, UnsupportedModule } from "../abi/errors.ts";
import { type Bytes, bare, header, leb, raw, sleb, type WasmParts, wasm } from "../fixtures/wasm.ts";
import { Plugin } from "../plugin/plugin.ts";

const load = (bytes: Uint8Array) => Plugin.load({ wasm: bytes });

/** What the module is refused with. */
function refusal(bytes: Uint8Array): Error {
  try {
    load(bytes);
  } catch (error) {
    return error as Error;
  }
  throw new Error("it was taken");
}

test("the least module that Envoy takes", () => {
  const plugin = load(wasm());
  expect(plugin.trap).toBeUndefined();
  expect(plugin.stream().exchange({}, { body: "hi" }).response).toMatchObject({ status: 200, body: "hi" });
});

describe("what is no module is refused", () => {
  test.each([
    ["nothing", [], "it is empty"],
    ["text", [...Buffer.from("(module)")], 'it begins with "(module)"'],
    ["half a header", header.slice(0, 6), "it ends within its header"],
    ["a component", [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0], "it is a WebAssembly component"],
    ["another version", [0, 0x61, 0x73, 0x6d, 2, 0, 0, 0], "unknown version 02000000"],
    ["a section cut off", [...wasm()].slice(0, -3), "it is cut off: 3 bytes are missing"],
    ["a length without an end", [...header, 1, 0xff, 0xff], "a section ends in the middle"],
    [
      "an export section that ends in the middle",
      [...header, ...raw(7, [1, 2, 97, 98])],
      "a section ends in the middle",
    ],
  ] as [string, Bytes, string][])("%s", (_, bytes, why) => {
    const error = refusal(Uint8Array.from(bytes));
    expect(error).toBeInstanceOf(PluginRefused);
    expect(error.message).toMatch(/^Failed to parse corrupted Wasm module: /);
    expect(error.message).toContain(why);
  });

  test("a file that ends at any place", () => {
    const whole = wasm({ imports: { "env.proxy_log": "iii>i" } });
    for (let size = 0; size < whole.length; size++) {
      expect(() => load(whole.subarray(0, size)), `${size} bytes`).toThrow(PluginRefused);
    }
  });
});

describe("ABI version", () => {
  const withVersion = (...names: string[]) =>
    wasm({ functions: [{ signature: ">", exports: names }, ...bare.slice(1)] });

  test.each(["0_1_0", "0_2_0", "0_2_1"])("%s is known", (version) => {
    expect(load(withVersion(`proxy_abi_version_${version}`)).trap).toBeUndefined();
  });

  test("none, or an unknown one", () => {
    expect(refusal(withVersion()).message).toBe(
      "Missing or unknown Proxy-Wasm ABI version: the module exports none, the proxy knows " +
        "proxy_abi_version_0_1_0, proxy_abi_version_0_2_0, proxy_abi_version_0_2_1",
    );
    expect(refusal(withVersion("proxy_abi_version_0_3_0")).message).toContain("exports proxy_abi_version_0_3_0,");
  });

  test("host calls that are of another version are missing imports", () => {
    const importing = (name: string, version: string) => {
      const functions = [{ signature: ">", exports: [`proxy_abi_version_${version}`] }, ...bare.slice(1)];
      return wasm({ imports: { [`env.${name}`]: name.endsWith("route_cache") ? ">i" : "i>i" }, functions });
    };
    expect(load(importing("proxy_clear_route_cache", "0_1_0")).trap).toBeUndefined();
    expect(refusal(importing("proxy_clear_route_cache", "0_2_0")).message).toContain("env.proxy_clear_route_cache");
    expect(load(importing("proxy_get_log_level", "0_2_1")).trap).toBeUndefined();
    expect(refusal(importing("proxy_get_log_level", "0_2_0")).message).toContain("env.proxy_get_log_level");
    expect(refusal(importing("proxy_continue_stream", "0_1_0")).message).toContain("env.proxy_continue_stream");
  });
});

describe("imports and exports", () => {
  test("every missing import is named", () => {
    const imports = {
      "env.proxy_log": "iii>i",
      "env.nope": ">",
      "other.thing": "i>i",
      "wasi_snapshot_preview1.nope": ">",
    };
    expect(refusal(wasm({ imports })).message).toBe(
      "Failed to load Wasm module due to a missing import: env.nope, other.thing, wasi_snapshot_preview1.nope",
    );
  });

  test("AssemblyScript's own abort is not there, and what to do is said", () => {
    expect(refusal(wasm({ imports: { "env.abort": "iiii>" } })).message).toMatch(
      /missing import: env\.abort .*--use abort=/,
    );
  });

  test("an import of another type", () => {
    expect(refusal(wasm({ imports: { "env.proxy_log": "ii>i", "env.proxy_increment_metric": "ii>i" } })).message).toBe(
      "Failed to load Wasm module due to an import type mismatch: " +
        "env.proxy_log, want: i32 i32 -> i32, but host exports: i32 i32 i32 -> i32; " +
        "env.proxy_increment_metric, want: i32 i32 -> i32, but host exports: i32 i64 -> i32",
    );
  });

  test("callbacks of another type", () => {
    const functions = [...bare, { signature: "i>i", code: [0x41, 0], exports: ["proxy_on_tick"] }];
    expect(refusal(wasm({ functions })).message).toBe(
      "Bad function signature for: proxy_on_tick, want: i32 -> void, but the module exports: i32 -> i32",
    );
  });

  test("no malloc", () => {
    expect(refusal(wasm({ functions: bare.slice(0, 1) })).message).toContain("missing malloc function");
  });

  test("proxy_on_memory_allocate will do", () => {
    const functions = [bare[0], { ...bare[1], exports: ["proxy_on_memory_allocate"] }] as WasmParts["functions"];
    expect(load(wasm({ functions })).trap).toBeUndefined();
  });

  test("a module without memory cannot be given anything, and is not brought down by it", () => {
    const functions = [
      ...bare,
      // proxy_get_current_time_nanoseconds(0) → status as the result: InvalidMemoryAccess is not 0, so it is true
      { signature: "ii>i", code: [0x41, 0, 0x10, 0], exports: ["proxy_on_configure"] },
    ];
    const imports = { "env.proxy_get_current_time_nanoseconds": "i>i" };
    expect(load(wasm({ imports, functions, memory: 0 })).trap).toBeUndefined();
    expect(() => load(wasm({ imports, functions }))).toThrow("proxy_on_configure returned false");
  });
});

describe("what only a newer V8 may know", () => {
  /** A filter with one more function of that code; with one more section. */
  const code = (bytes: Bytes) => wasm({ functions: [...bare, { signature: ">", code: bytes }] });
  const extra = (section: Bytes) => Uint8Array.from([...wasm(), ...section]);
  /** A filter whose memory section is this. */
  const memory = (content: Bytes) => {
    const [before, after] = [wasm({ memory: 0 }), raw(5, content)];
    const at = before.indexOf(7, 20);
    return Uint8Array.from([...before.slice(0, at), ...after, ...before.slice(at)]);
  };

  test.each([
    ["an opcode that nobody has given out", code([0x27])],
    ["garbage collection", code([0xfb, 0x01, 0x00])],
    ["stack switching", code([0xe0, 0])],
    ["wide arithmetic", code([0x42, 0, 0x42, 0, 0x42, 0, 0x42, 0, 0xfc, 0x13, 0x1a, 0x1a])],
    ["an unknown section", extra(raw(0x63, [0]))],
    ["64-bit memory", memory([1, 4, 1])],
    ["two memories", memory([2, 0, 1, 0, 1])],
  ])("%s", (_, bytes) => {
    expect(refusal(bytes)).toBeInstanceOf(UnsupportedModule);
  });

  test.each([
    ["a type that does not match", code([0x41, 0, 0x42, 0, 0x6a, 0x1a]), "expected type i32"],
    ["a function that is not there", code([0x10, 99]), "function index #99 is out of bounds"],
    ["a value left behind", code([0x41, 0]), "expected 0 elements on the stack"],
    ["a local that is not there", code([0x20, 5, 0x1a]), "invalid local index"],
  ])("%s is a mistake for any V8", (_, bytes, why) => {
    const error = refusal(bytes);
    expect(error).toBeInstanceOf(PluginRefused);
    expect(error.message).toContain(why);
  });

  test("its ABI version and imports are checked all the same", () => {
    const functions = [...bare, { signature: ">", code: [0xfb, 0x01, 0x00] }];
    expect(refusal(wasm({ functions, imports: { "env.nope": ">" } })).message).toContain("missing import: env.nope");
    expect(refusal(wasm({ functions: functions.slice(1) })).message).toContain("Missing or unknown");
  });
});

describe("start", () => {
  const unreachable = { signature: ">", code: [0x00] };

  test("a trap in the start section", () => {
    const error = refusal(wasm({ functions: [...bare, unreachable], start: 2 })) as FilterTrap;
    expect(error).toBeInstanceOf(FilterTrap);
    expect(error).toMatchObject({ callback: "(start section)", reason: "unreachable" });
    expect(error.wasmStack[0]).toMatch(/^wasm-function\[2\] \(at 0x[0-9a-f]+\)$/);
  });

  test("a host call in the start section would crash Envoy: there is no context yet", () => {
    const log = { signature: ">", code: [0x41, 2, 0x41, 0, 0x41, 0, 0x10, 0, 0x1a] };
    const bytes = wasm({ imports: { "env.proxy_log": "iii>i" }, functions: [...bare, log], start: 3 });
    expect(refusal(bytes).message).toContain(
      "calls env.proxy_log while it is being instantiated, which crashes the proxy",
    );
  });

  test("a trap in _start, in a function that has a name only as an export", () => {
    const error = refusal(wasm({ functions: [...bare, { ...unreachable, exports: ["_start"] }] })) as FilterTrap;
    expect(error.callback).toBe("_start");
    expect(error.wasmStack[0]).toMatch(/^_start \(wasm-function\[2\] at 0x/);
  });

  test("what may not be called before there is a plugin traps", () => {
    const tick = { signature: ">", code: [0x41, 1, 0x10, 0, 0x1a], exports: ["_start"] };
    const imports = { "env.proxy_set_tick_period_milliseconds": "i>i" };
    expect(refusal(wasm({ imports, functions: [...bare, tick] })).message).toContain("restricted_callback");
  });

  test("_initialize and main go before _start", () => {
    const named = (name: string, text: number) => ({
      signature: name === "main" ? "ii>i" : ">",
      code: [0x41, 2, 0x41, ...sleb(text), 0x41, 1, 0x10, 0, ...(name === "main" ? [] : [0x1a])],
      exports: [name],
    });
    const functions = [...bare, named("_initialize", 16), named("main", 17), named("_start", 18)];
    const bytes = wasm({ imports: { "env.proxy_log": "iii>i" }, functions, data: { 16: [97, 98, 99] } });
    expect(load(bytes).logs.map(({ message }) => message)).toEqual(["a", "b"]);
  });
});

describe("WASI", () => {
  test("standard output and error are logged, with the newline less; other files are not there", () => {
    // iovec at 0: address 16, 3 bytes
    const write = (fd: number) => [0x41, fd, 0x41, 0, 0x41, 1, 0x41, 8, 0x10, 0];
    const configure = {
      signature: "ii>i",
      code: [...write(1), 0x1a, ...write(2), 0x1a, ...write(7), 0x41, 8, 0x46],
      exports: ["proxy_on_configure"],
    };
    for (const module of ["wasi_snapshot_preview1", "wasi_unstable"]) {
      const bytes = wasm({
        imports: { [`${module}.fd_write`]: "iiii>i" },
        functions: [...bare, configure],
        data: { 0: [16, 0, 0, 0, 3, 0, 0, 0], 16: [104, 105, 10] },
      });
      expect(load(bytes).logs.map(({ level, message }) => [level, message])).toEqual([
        ["info", "hi"],
        ["error", "hi"],
      ]);
    }
  });

  test("proc_exit by itself ends nothing, as in Envoy", () => {
    const code = [0x41, ...leb(3), 0x10, 0, 0x41, 1];
    const functions = [...bare, { signature: "ii>i", code, exports: ["proxy_on_configure"] }];
    expect(load(wasm({ imports: { "wasi_snapshot_preview1.proc_exit": "i>" }, functions })).trap).toBeUndefined();
  });
});
