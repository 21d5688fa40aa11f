import fc from "fast-check";
import { expect, test } from "vitest";
import { bare, sleb, wasm } from "../fixtures/wasm.ts";
import { serializeProperty } from "../hostcalls/properties.ts";
import { Plugin } from "../plugin/plugin.ts";
import { decodePairs, encodePairs } from "./abi.ts";
import { HeaderMap } from "./headers.ts";
import { bytesOf, readable, textOf } from "./text.ts";

test("any bytes come back as they went", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void expect([...bytesOf(textOf(bytes))]).toEqual([...bytes])));
});

test("any text comes back as it went", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => void expect(textOf(bytesOf(text))).toBe(text)));
});

test.each([
  ["UTF-8", [0x47, 0x72, 0xc3, 0xbc, 0xc3, 0x9f, 0x65], "Grüße"],
  ["Latin-1", [0x47, 0x72, 0xfc, 0xdf, 0x65], "Grüße"],
])("a person reads %s", (_what, bytes, text) => {
  expect(readable(textOf(Uint8Array.from(bytes)))).toBe(text);
});

const latin1 = Uint8Array.from([0x47, 0x72, 0xfc, 0xdf, 0x65]);

test("a header in Latin-1 reaches a filter byte by byte, and counts with its own length", () => {
  const map = new HeaderMap([["x", textOf(latin1)]]);
  expect(map.byteSize).toBe(6);
  expect([...encodePairs(map.pairs)].slice(-6)).toEqual([...latin1, 0]);
  expect(decodePairs(encodePairs(map.pairs))).toEqual(map.pairs);
  expect(serializeProperty(map.get("x"))).toEqual(Buffer.from(latin1));
  map.add("x", "żółw");
  expect(map.toRecord()).toEqual({ x: "Grüße, żółw" });
});

test("a filter that puts Latin-1 on a response is seen to do so", () => {
  const args = [2, 0, 6, 16, latin1.length].flatMap((number) => [0x41, ...sleb(number)]);
  const module = wasm({
    imports: { "env.proxy_replace_header_map_value": "iiiii>i" },
    functions: [
      ...bare,
      { signature: "iii>i", code: [...args, 0x10, 0], exports: ["proxy_on_response_headers"] },
      { signature: "ii>", exports: ["proxy_on_context_create"] },
    ],
    data: { 0: "x-name", 16: [...latin1] },
  });
  const { response } = Plugin.load({ wasm: module }).stream().exchange();
  expect(response?.headers).toEqual({ "x-name": "Grüße" });
});
