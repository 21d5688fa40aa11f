import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { root } from "../../lib/paths.ts";
import { FilterTrap } from "../abi/errors.ts";
import { compileFixture } from "../fixtures/compile.ts";
import { Plugin } from "./plugin.ts";

// A module of @solo-io/proxy-runtime: ABI 0.2.0, start in the start section, abort through the log and proc_exit.
let wasm: Uint8Array;
beforeAll(async () => {
  const libraries = ["--lib", join(root, "filter/compat"), "--path", join(root, "node_modules")];
  wasm = await compileFixture("sdk", [...libraries, "--runtime", "incremental", "--use", "abort=abort_proc_exit"]);
});

test("a filter on the SDK runs", () => {
  const plugin = Plugin.load({ wasm, rootId: "sdk_root" });
  const { response } = plugin.stream().exchange({ path: "/a" }, { status: 201 });
  expect(plugin.trap).toBeUndefined();
  // The request's headers are gone by then, in Envoy as here.
  expect(response?.headers).toEqual({ "x-sdk": "|201" });
  expect(plugin.logs).toEqual([]);
});

test("many requests leave nothing behind", () => {
  const plugin = Plugin.load({ wasm, rootId: "sdk_root" });
  const requests = (count: number) => {
    for (let i = 0; i < count; i++) plugin.stream().exchange();
  };
  requests(500);
  expect(plugin.measure(() => requests(500)).grownBytes).toBe(0);
});

test("a root id that is not in the module is a trap that names it", () => {
  expect(() => Plugin.load({ wasm, rootId: "no_such_root" })).toThrow(FilterTrap);
  expect(() => Plugin.load({ wasm, rootId: "no_such_root" })).toThrow(
    /^proxy_on_context_create trapped: Missing root context factory for root id: no_such_root at: .*runtime\.ts\(/,
  );
});
