import { describe, expect, test } from "vitest";
import { parseEntry, readable, sift } from "./log.ts";

const listening = { pid: 7, filters: ["mine"] };
const entry = (level: string, logger: string, message: string, thread = 7) =>
  `[2026-01-02 03:04:05.678][${thread}][${level}][${logger}] [source/a/b.cc:12] ${message}`;
const said = (...lines: string[]) => sift(lines, listening);

test("an entry of Envoy's log", () => {
  const line = "[2026-01-02 03:04:05.678][42][warning][config] [source/a/b.cc:12] it says: [this]";
  expect(parseEntry(line)).toEqual({ thread: 42, level: "warning", logger: "config", message: "it says: [this]" });
  expect(parseEntry("Proxy-Wasm plugin in-VM backtrace:")).toBeUndefined();
});

test("Envoy's complaints, each once, without time, thread and place", () => {
  const { complaints } = said(
    entry("info", "wasm", "all is well"),
    entry("error", "wasm", "Wasm VM failed Failed to configure base Wasm plugin"),
    entry("critical", "wasm", "Plugin configured to fail closed failed to load", 8),
    entry("critical", "wasm", "Plugin configured to fail closed failed to load", 9),
    entry("warning", "misc", "Deprecated field: type x Using deprecated option 'y'"),
    "  0:  0x13c - abort",
  );
  expect(complaints).toEqual([
    "[error][wasm] Wasm VM failed Failed to configure base Wasm plugin",
    "[critical][wasm] Plugin configured to fail closed failed to load",
  ]);
});

test("of very many, the newest", () => {
  const { complaints } = said(...Array.from({ length: 1000 }, (_, i) => entry("error", "http", `number ${i}`)));
  expect(complaints).toHaveLength(20);
  expect(complaints.at(-1)).toBe("[error][http] number 999");
});

test("an entry with newlines is shown in lines again", () => {
  expect(said(entry("error", "wasm", "Function: x failed:\\nbacktrace:\\n  0: a")).complaints).toEqual([
    "[error][wasm] Function: x failed:\n    backtrace:\n      0: a",
  ]);
});

test("a line as a person reads it", () => {
  expect(readable(entry("error", "wasm", "trap\\nbacktrace"))).toMatch(/trap\n {4}backtrace$/);
  expect(readable("C:\\new")).toBe("C:\\new");
});

describe("a module that did not start", () => {
  test.each([
    "_start",
    "_initialize",
    "main",
    "__main_void",
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
  ])("%s has trapped", (name) => {
    expect(said(entry("error", "wasm", `Function: ${name} failed: Uncaught RuntimeError: x`)).startFailed).toBe(true);
  });

  test.each([
    ["another function", entry("error", "wasm", "Function: proxy_on_tick failed: Uncaught RuntimeError: x")],
    ["a worker, which may be late", entry("error", "wasm", "Function: proxy_on_configure failed: x", 8)],
    ["a module's words", entry("error", "wasm", "wasm log mine@sha256:a: Function: proxy_on_configure failed: x")],
    [
      "a module's words with newlines",
      `${entry("error", "wasm", "wasm log")} mine@sha256:a: x\\n${entry("error", "wasm", "Function: _start failed")}`,
    ],
    ["a script's words", entry("error", "lua", "script log: Function: proxy_on_configure failed: x")],
    ["a text without Envoy's prefix", "Function: proxy_on_configure failed: x"],
    ["what is not severe", entry("info", "wasm", "Function: proxy_on_configure failed: x")],
  ])("is not told by %s", (_what, line) => {
    if (process.platform === "linux") expect(said(line).startFailed).toBe(false);
  });

  test("where Envoy's pid is not known, every thread counts", () => {
    const line = entry("error", "wasm", "Function: _start failed: x", 8);
    expect(sift([line], { pid: Number.NaN, filters: [] }).startFailed).toBe(true);
  });
});

describe("what modules say", () => {
  test.each(["warning", "error", "critical"])("at level %s is no complaint of Envoy's", (level) => {
    expect(
      said(entry(level, "wasm", "wasm log: no vm, no root"), entry(level, "wasm", "wasm log a b: x: y")).complaints,
    ).toEqual([]);
  });

  test("is kept where it is the changed filter's, whatever its root is called; the newest five", () => {
    const { modules } = said(
      entry("critical", "wasm", "wasm log another@sha256:ab: not this"),
      entry("critical", "wasm", "wasm log not-mine@sha256:ab: not this"),
      ...Array.from({ length: 9 }, (_, i) => entry("error", "wasm", `wasm log a root mine@sha256:ab: line ${i}: bad`)),
      entry("info", "wasm", "wasm log a root mine@sha256:ab: an info line"),
    );
    expect(modules).toEqual([4, 5, 6, 7, 8].map((i) => `[error] line ${i}: bad`));
  });
});
