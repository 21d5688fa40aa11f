import { describe, expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import {
  alreadyThere,
  checkPatterns,
  compare,
  type Expectation,
  expectsNothing,
  isLong,
  isMetWithout,
} from "./expectation.ts";

test("compare: exact values and regular expressions, names in any case", () => {
  const headers = { "x-custom": "FOO", "x-load": "current-load=12", more: "1" };
  expect(compare({ "X-Custom": "FOO", "x-load": "/^current-load=\\d+$/" }, { status: 404, headers, body: "" })).toEqual(
    {
      holds: true,
      seen: { "X-Custom": "FOO", "x-load": "current-load=12" },
      problems: [],
      shows: ["X-Custom: FOO", "x-load: current-load=12"],
    },
  );
});

test.each([
  ["missing", { absent: "1" }, "absent is missing; expected: 1"],
  ["other", { "x-custom": "BAR" }, "x-custom is: FOO; expected: BAR"],
  ["part of it only", { "x-custom": "FO" }, "x-custom is: FOO; expected: FO"],
  ["no match", { "x-custom": "/^B/" }, "x-custom is: FOO; expected: /^B/"],
])("compare: %s", (_, expected, problem) => {
  const comparison = compare(expected as unknown as Record<string, string>, {
    status: 200,
    headers: { "x-custom": "FOO" },
    body: "",
  });
  expect(comparison).toMatchObject({ holds: false, problems: [problem] });
});

test("compare: a failure of the server is no proof", () => {
  expect(compare({ a: "1" }, { status: 503, headers: { a: "1" }, body: "" }).holds).toBe(false);
});

test("compare: every problem at once", () => {
  expect(compare({ a: "1", b: "2" }, { status: 200, headers: {}, body: "" }).problems).toHaveLength(2);
});

test.each<[Expectation, boolean]>([
  [{}, false],
  [{ "x-a": "1" }, false],
  [{ headers: "a header of this name" }, false],
  [{ headers: true }, false],
  [{ headers: {} }, true],
  [{ status: 401 }, true],
  [{ body: "text" }, true],
])("%j is the long form: %j", (expectation, long) => {
  expect(isLong(expectation)).toBe(long);
});

const answer = { status: 401, headers: { "x-a": "1", "x-b": "", "content-type": "text/plain" }, body: "no\nkey" };

test.each<[string, Expectation]>([
  ["a status", { status: 401 }],
  ["a header's presence", { "x-a": true }],
  ["an empty header's presence", { "x-b": true }],
  ["a header's absence", { "x-none": false }],
  ["all of the body", { body: "no\nkey" }],
  ["a part of the body", { body: "/^no\\n/" }],
  ["all at once", { status: 401, body: "/key/", headers: { "X-A": "/\\d/", "x-none": false } }],
  ["nothing", {}],
])("holds: %s", (_what, expectation) => {
  expect(compare(expectation, answer)).toMatchObject({ holds: true, problems: [] });
});

test.each<[string, Expectation, string]>([
  ["a status", { status: 200 }, "status is: 401; expected: 200"],
  ["a presence", { "x-none": true }, "x-none is missing; expected: any value"],
  ["an absence", { "x-a": false }, "x-a is: 1; expected: no such header"],
  ["a body", { body: "no" }, "body is: no\nkey; expected: no"],
  ["a header of the long form", { headers: { "x-a": "2" } }, "x-a is: 1; expected: 2"],
])("does not hold: %s", (_what, expectation, problem) => {
  expect(compare(expectation, answer)).toMatchObject({ holds: false, problems: [problem] });
});

test("a status of 500 or more is a failure, but where it is expected", () => {
  const response = { status: 503, headers: {}, body: "down" };
  expect(compare({ body: "down" }, response).holds).toBe(false);
  expect(compare({ status: 503, body: "down" }, response).holds).toBe(true);
});

test.each<Expectation>([{ a: "/(/" }, { body: "/(/" }, { headers: { a: "/(/" } }])(
  "%j has no pattern",
  (expectation) => {
    expect(() => checkPatterns(expectation)).toThrow(UserError);
  },
);

test("what expects nothing", () => {
  expect([{}, { headers: {} }].map(expectsNothing)).toEqual([true, true]);
  expect([{ a: false }, { status: 200 }, { body: "" }].map(expectsNothing)).toEqual([false, false, false]);
});

describe("a response without the filter", () => {
  test.each<[string, Expectation, boolean]>([
    ["has the header, with the value", { "x-a": "1" }, true],
    ["has the header, with another value", { "x-a": "2" }, false],
    ["has the header, whose presence is expected", { "x-a": true }, true],
    ["has the header, which is to go", { "x-a": false }, false],
    ["has no such header", { "x-new": "1" }, false],
    ["has no such header, as expected", { "x-new": false }, true],
    ["has a value that the pattern takes", { "content-type": "/^text/" }, true],
    ["has the status", { status: 401 }, true],
    ["has another status", { status: 403 }, false],
    ["has another body", { body: "/rewritten/" }, false],
    ["has some of it, but not all", { "x-a": "1", "x-new": "1" }, false],
    ["has all of it", { status: 401, headers: { "x-a": "1" }, body: "/key/" }, true],
    ["is not asked for anything", {}, false],
  ])("%s", (_what, expectation, met) => {
    expect(isMetWithout(expectation, answer)).toBe(met);
  });

  test.each<[Expectation, boolean]>([
    [{ "x-envoy-upstream-service-time": "/\\d/" }, true],
    [{ server: "envoy" }, true],
    [{ server: "istio-envoy" }, true],
    [{ server: true }, true],
    [{ date: true }, true],
    [{ connection: false }, true],
    [{ "Keep-Alive": false, "transfer-encoding": "chunked" }, true],
    [{ "content-length": "5" }, false],
    [{ server: "mine" }, false],
    [{ date: "today" }, false],
    [{ server: "envoy", "x-new": "1" }, false],
  ])("what a proxy puts there by itself counts as little: %j", (expectation, met) => {
    expect(isMetWithout(expectation, answer)).toBe(met);
  });

  test("is told in the words of what is expected", () => {
    const expectation = { status: 401, headers: { "x-a": "1", "x-none": false, "x-new": "1" }, body: "/key/" };
    expect(alreadyThere(expectation, answer)).toEqual(["status: 401", "x-a: 1", "no x-none", "body: no\nkey"]);
  });
});
