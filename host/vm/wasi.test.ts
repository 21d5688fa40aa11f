import { beforeAll, describe, expect, test } from "vitest";
import { compileWasi } from "../fixtures/compile.ts";
import { bare, wasm as handMade, sleb, type WasmFunction } from "../fixtures/wasm.ts";
import { Plugin } from "../plugin/plugin.ts";

let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await compileWasi();
});

/** What the module logs while it is configured; the real Envoy logs the same (test/local/wasi.test.ts). */
function answers(configuration: string): string[] {
  const { logs } = Plugin.load({ wasm, configuration, now: 5000 });
  const lines = logs.map(({ level, message }) => (level === "info" ? message : `[${level}] ${message}`));
  const start = lines.indexOf(configuration === "all" ? "at configuration" : "at start");
  return lines.slice(start + 1);
}

const of = (lines: string[], ...names: string[]) =>
  lines.filter((line) => names.some((name) => line.startsWith(`${name}`)));

describe("what each function of WASI answers: errno, and what is written", () => {
  let all: string[];
  beforeAll(() => {
    all = answers("all");
  });

  test("standard output and error are logged; there is no other file to write to", () => {
    const from = all.indexOf("hihi");
    expect(all.slice(from, all.indexOf("path_open: 44"))).toEqual([
      "hihi",
      "fd_write 1: 0 5 0 0 0",
      "[error] hi",
      "fd_write 2: 0 2 0 0 0",
      "fd_write 0: 8",
      "fd_write 3: 8",
      "fd_write nothing: 0 0 0 0 0",
      "hi",
      "fd_write result nowhere: 21",
      "fd_write vectors nowhere: 21",
      "fd_write endless vectors: 21",
      "hi",
      "fd_write empty text nowhere: 0 2 0 0 0",
      "fd_write text nowhere: 21",
      "[error] ",
      "fd_write newline: 0 1 0 0 0",
      "hi",
      "fd_pwrite 1: 0 2 0 0 0",
      "fd_pwrite 3: 8",
    ]);
  });

  test.each([
    ["fd_advise", [0, 0, 0, 0]],
    ["fd_allocate", [8, 0, 0, 8]],
    ["fd_close", [0, 0, 0, 0]],
    ["fd_datasync", [8, 0, 0, 8]],
    ["fd_fdstat_set_flags", [52, 52, 52, 52]],
    ["fd_fdstat_set_rights", [8, 0, 0, 8]],
    ["fd_filestat_get", [8, 8, 8, 8]],
    ["fd_filestat_set_size", [8, 0, 0, 8]],
    ["fd_filestat_set_times", [8, 0, 0, 8]],
    ["fd_pread", [52, 52, 52, 52]],
    ["fd_prestat_dir_name", [52, 52, 52, 52]],
    ["fd_prestat_get", [8, 8, 8, 8]],
    ["fd_read", [52, 52, 52, 52]],
    ["fd_seek", [0, 0, 0, 0]],
    ["fd_sync", [8, 0, 0, 8]],
  ])("%s of files 0 to 3", (name, errnos) => {
    expect(errnos.map((_, fd) => of(all, `${name} ${fd}:`)[0])).toEqual(
      errnos.map((errno, fd) => `${name} ${fd}: ${errno}`),
    );
  });

  test("fd_fdstat_get, fd_readdir, fd_renumber, fd_tell", () => {
    const zeros = (n: number) => " 0".repeat(n);
    expect(
      of(all, "fd_fdstat_get", "fd_readdir", "fd_renumber", "fd_tell").filter((line) => !/nowhere/.test(line)),
    ).toEqual(
      [0, 1, 2, 3].flatMap((fd) => {
        const output = fd === 1 || fd === 2;
        return [
          output ? `fd_fdstat_get ${fd}: 0${zeros(8)} 64${zeros(15)}` : `fd_fdstat_get ${fd}: 8`,
          `fd_readdir ${fd}: 20${zeros(4)}`,
          `fd_renumber ${fd} 2: ${output ? 58 : 8}`,
          output ? `fd_tell ${fd}: 0${zeros(8)}` : `fd_tell ${fd}: 8`,
        ];
      }),
    );
    expect(
      of(all, "fd_fdstat_get 1 nowhere", "fd_readdir 1 nowhere", "fd_tell 1 nowhere", "fd_tell 3 nowhere"),
    ).toEqual([
      "fd_fdstat_get 1 nowhere: 0",
      "fd_readdir 1 nowhere: 21",
      "fd_tell 1 nowhere: 21",
      "fd_tell 3 nowhere: 8",
    ]);
  });

  test("there are no folders and no sockets", () => {
    const zeros = " 0 0 0 0";
    expect(of(all, "path_", "sock_")).toEqual([
      "path_open: 44",
      "path_create_directory: 58",
      "path_filestat_get: 58",
      "path_filestat_set_times: 58",
      "path_link: 58",
      `path_readlink: 58${zeros}`,
      "path_readlink nowhere: 21",
      "path_remove_directory: 58",
      "path_rename: 58",
      "path_symlink: 58",
      "path_unlink_file: 58",
      `sock_accept: 58${zeros}${zeros}`,
      "sock_accept nowhere: 21",
      `sock_recv: 58${zeros} 0 0`,
      "sock_recv nowhere: 21",
      `sock_recv flags nowhere: 21${zeros}`,
      `sock_send: 58${zeros}`,
      "sock_send nowhere: 21",
      "sock_shutdown: 58",
    ]);
  });

  test("no arguments and no environment; random bytes; nothing to poll; an exit that ends nothing", () => {
    const zeros = " 0 0 0 0";
    expect(all.slice(all.indexOf("sock_shutdown: 58") + 1, all.indexOf("poll_oneoff nowhere: 21") + 1)).toEqual([
      `args_sizes_get: 0${zeros}${zeros}`,
      `args_sizes_get nowhere: 21${zeros}`,
      "args_get: 0",
      `environ_sizes_get: 0${zeros}${zeros}`,
      "environ_sizes_get nowhere: 21",
      "environ_get: 0",
      "random_get nothing: 0",
      "random_get nowhere: 21",
      "random_get too much: 28",
      `poll_oneoff: 0${zeros}`,
      "poll_oneoff nowhere: 21",
    ]);
    expect(all).toContain("sched_yield: 0");
    expect(all).toContain("random bytes: 0 true");
    expect(all.at(-1)).toBe("proc_exit has returned");
  });

  test("real time and the monotonic clock, and no other", () => {
    expect(of(all, "clock_", "monotonic", "real time")).toEqual([
      "clock_res_get 0: 0 1 0 0 0 0 0 0 0",
      "clock_time_get 0 nowhere: 21",
      "clock_res_get 1: 0 1 0 0 0 0 0 0 0",
      "clock_time_get 1 nowhere: 21",
      ...[2, 3, 4].flatMap((id) => [`clock_res_get ${id}: 58`, `clock_time_get ${id}: 58`]),
      "monotonic above zero and never back: true",
      "real time is the same in both interfaces: true",
    ]);
  });
});

describe("clocks", () => {
  test("the monotonic clock moves by a nanosecond with each reading, real time only when it is moved", () => {
    const readings = answers("readings")
      .slice(-3)
      .map((line) => line.split(" ").map(BigInt));
    const [[first = 0n] = []] = readings;
    expect(first).toBeGreaterThanOrEqual(1_000_000_000n);
    expect(readings).toEqual([0n, 1n, 2n].map((i) => [first + i, 5_000_000_000n]));
  });

  test("a module that waits by looking at a clock comes to an end", () => {
    expect(answers("wait").slice(-2)).toEqual(["waited: true", "waited: true"]);
  });
});

describe("before there is a plugin", () => {
  /** A module that calls a function of WASI in `_initialize`, with zeros. */
  const calling = (name: string, signature: string) => {
    const [parameters = "", result = ""] = signature.split(">");
    const zeros = [...parameters].flatMap((type) => [type === "I" ? 0x42 : 0x41, ...sleb(0)]);
    const start: WasmFunction = {
      signature: ">",
      code: [...zeros, 0x10, 0, ...(result ? [0x1a] : [])],
      exports: ["_initialize"],
    };
    return handMade({ imports: { [`wasi_snapshot_preview1.${name}`]: signature }, functions: [...bare, start] });
  };

  test("most may be called", () => {
    expect(answers("").slice(0, 2)).toEqual(["hihi", "fd_write 1: 0 5 0 0 0"]);
    expect(answers("").at(-1)).toBe("random bytes: 0 true");
  });

  test.each([
    ["fd_read", "iiii>i"],
    ["fd_seek", "iIii>i"],
    ["fd_close", "i>i"],
    ["path_open", "iiiiiIIii>i"],
    ["sched_yield", ">i"],
    ["proc_exit", "i>"],
  ])("%s may not, as in Envoy", (name, signature) => {
    expect(() => Plugin.load({ wasm: calling(name, signature) })).toThrow(
      `restricted_callback: wasi_snapshot_preview1.${name} may not be called`,
    );
  });
});

describe("what a trapped module wrote to standard error", () => {
  /** Writes the texts, each by itself, and traps. */
  const writing = (...texts: string[]) => {
    const at = (i: number) => 2048 + 64 * i;
    const data = Object.fromEntries(texts.map((text, i) => [at(i), [...Buffer.from(text)]]));
    const code = texts.flatMap((text, i) => {
      const iovec = [0, 4].flatMap((offset) => [
        ...[0x41, ...sleb(offset), 0x41, ...sleb(offset === 0 ? at(i) + 0 : Buffer.byteLength(text))],
        ...[0x36, 2, 0],
      ]);
      return [...iovec, 0x41, 2, 0x41, 0, 0x41, 1, 0x41, ...sleb(8), 0x10, 0, 0x1a];
    });
    const configure = { signature: "ii>i", code: [...code, 0x00], exports: ["proxy_on_configure"] };
    const imports = { "wasi_snapshot_preview1.fd_write": "iiii>i" };
    return handMade({ imports, functions: [...bare, configure], data });
  };
  const reason = (...texts: string[]) => {
    try {
      Plugin.load({ wasm: writing(...texts) });
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };

  test("Go's panic comes word by word, and is told in one piece", () => {
    const words = ["panic: ", "no such thing", " [recovered]", "\n", "\n", "goroutine ", "1", "\n"];
    expect(reason(...words)).toBe("proxy_on_configure trapped: panic: no such thing [recovered]");
  });

  test("its fatal error, too", () => {
    expect(reason("fatal error: ", "all goroutines are asleep", "\n")).toContain(
      "fatal error: all goroutines are asleep",
    );
  });

  test("otherwise the last line that says something", () => {
    expect(reason("it is broken\n", "\n")).toBe("proxy_on_configure trapped: it is broken");
    expect(reason("\n")).toBe("proxy_on_configure trapped: unreachable");
  });
});
