import { expect, it } from "vitest";
import { filterSchema } from "./declared.ts";

const schema = filterSchema({});
const filter = { name: "mine", module: "./filter", target: { gateway: true } };

const read = (more: object) => schema.parse({ ...filter, ...more }) as { request: unknown; expect: unknown };

/** The keys that are wrong. */
function wrong(more: object): string[] {
  const result = schema.safeParse({ ...filter, ...more });
  return result.success ? [] : result.error.issues.map(({ path }) => path.join("."));
}

it.each([
  [{}],
  [{ "x-a": "1", "x-b": "/^\\d+$/", "x-c": true, "x-d": false }],
  [{ headers: "a header of that name" }],
  [{ status: 401 }],
  [{ body: "/key/" }],
  [{ headers: { "x-a": "1", "x-b": true } }],
  [{ status: 200, body: "text", headers: {} }],
])("expect %j", (expected) => {
  expect(read({ expect: expected }).expect).toEqual(expected);
});

it.each<[object, string[]]>([
  [{ "x-a": 1 }, ["expect.x-a"]],
  [{ "x-a": "/(/" }, ["expect.x-a"]],
  [{ "x-a": { nested: true } }, ["expect.x-a"]],
  [{ status: "401" }, ["expect.status"]],
  [{ status: 99 }, ["expect.status"]],
  [{ status: 200, "x-a": "1" }, ["expect"]],
  [{ body: "/(/" }, ["expect.body"]],
  [{ body: true }, ["expect.body"]],
  [{ status: 200, headers: { "x-a": 1, "x-b": "/(/" } }, ["expect.headers.x-a", "expect.headers.x-b"]],
])("expect %j is refused, by key", (expected, keys) => {
  expect(wrong({ expect: expected })).toEqual(keys);
});

it.each([["text"], [[]], [null], [true]])("expect: %j is refused", (expected) => {
  expect(wrong({ expect: expected })).toEqual(["expect"]);
});

it("what is not declared is left open", () => {
  expect(read({})).not.toHaveProperty("expect");
  expect(read({})).not.toHaveProperty("request");
});

it.each<[unknown, unknown]>([
  [false, false],
  [{}, {}],
  [
    { method: "post", path: "/get?x=1" },
    { method: "POST", path: "/get?x=1" },
  ],
  [{ path: "?x=1" }, { path: "?x=1" }],
  [{ path: "" }, { path: "" }],
  [
    { headers: { "x-count": 1, "x-on": true, "x-name": "Grüße", host: "a" } },
    { headers: { "x-count": "1", "x-on": "true", "x-name": "Grüße", host: "a" } },
  ],
  [{ body: "" }, { body: "" }],
])("request: %j", (declared, request) => {
  expect(read({ request: declared }).request).toEqual(request);
});

it.each<[unknown, string]>([
  [true, "request"],
  ["/get", "request"],
  [{ path: "get" }, "request.path"],
  [{ path: "/a b" }, "request.path"],
  [{ method: "G T" }, "request.method"],
  [{ method: "CONNECT" }, "request.method"],
  [{ headers: { "a b": "1" } }, "request.headers.a b"],
  [{ headers: { "content-length": "1" } }, "request.headers.content-length"],
  [{ headers: { "x-a": "1\n" } }, "request.headers.x-a"],
  [{ body: { json: true } }, "request.body"],
  [{ query: "x" }, "request"],
])("request: %j is refused, by key", (declared, key) => {
  expect(wrong({ request: declared })).toEqual([key]);
});
