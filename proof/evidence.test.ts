import { describe, expect, test } from "vitest";
import { type EvidenceArgs, evidence, expectationOf, type Found } from "./evidence.ts";
import { compare, type Expectation } from "./expectation.ts";
import { proofRequest } from "./request.ts";

const request = proofRequest();
const of = (more: Partial<EvidenceArgs>) => evidence({ filter: "mine", request, address: "/get of httpbin", ...more });
const found = (more: Partial<Found> = {}): Found => ({ adds: {}, ...more });

describe("what is expected", () => {
  test("is what is declared, whatever was found", () => {
    expect(of({ expect: { "x-b": "2" }, found: found({ adds: { "x-a": "1" } }) })).toEqual({ expect: { "x-b": "2" } });
    expect(of({ expect: {}, found: found() })).toEqual({ expect: {} });
  });

  test.each<[string, Found, Expectation]>([
    ["headers", found({ adds: { "x-a": "1" } }), { "x-a": "1" }],
    [
      "headers whose value varies",
      found({ adds: { "x-a": "1", "x-b": "2" }, varies: ["x-b"] }),
      { "x-a": "1", "x-b": true },
    ],
    ["a status", found({ status: 401 }), { status: 401 }],
    ["both", found({ status: 401, adds: { "x-a": "1" } }), { status: 401, headers: { "x-a": "1" } }],
    [
      "headers with names that mean something",
      found({ adds: { status: "1", body: "2" } }),
      { headers: { status: "1", body: "2" } },
    ],
  ])("is what was found, where nothing is declared: %s", (_what, seen, expected) => {
    expect(of({ found: seen })).toEqual({ expect: expected });
  });

  test("is that very text, also where it looks like a pattern", () => {
    const expected = expectationOf(found({ adds: { "x-a": "/a.b/" } }));
    const answer = (value: string) => ({ status: 200, headers: { "x-a": value }, body: "" });
    expect(compare(expected, answer("/a.b/")).holds).toBe(true);
    expect(compare(expected, answer("a.b")).holds).toBe(false);
    expect(compare(expected, answer("/axb/")).holds).toBe(false);
  });

  test("is nothing where nobody looked, or nothing is sent", () => {
    expect(of({})).toEqual({ expect: {} });
    expect(of({ request: false, found: found() })).toEqual({ expect: {} });
  });
});

describe("nothing would show it", () => {
  test("where nothing was found: the filter, what it does, and what to do", () => {
    const notes = ["it changes the request: x-user"];
    const { problem } = of({ found: found({ notes }), request: proofRequest({ body: "b" }) });
    expect(problem).toMatch(
      /"mine".*puts nothing.*response to POST \/get of httpbin; it changes the request: x-user\./,
    );
    expect(problem).toMatch(
      /`expect`[\s\S]*`status`[\s\S]*`body`[\s\S]*`request`[\s\S]*`expect: \{\}`[\s\S]*`request: false`/,
    );
  });

  const straight = { status: 200, headers: { "content-type": "application/json" }, body: "{}" };

  test("where the workload answers so without it: what it answers, and what to do", () => {
    const { problem } = of({ expect: { "content-type": "/json/" }, straight });
    expect(problem).toMatch(
      /"mine": its `expect` would not show.*answers GET \/get of httpbin with status 200.*\n {2}content-type: application\/json\n.*`expect`/,
    );
  });

  test("the same of what was found", () => {
    const { problem } = of({ found: found({ adds: { "content-type": "application/json" } }), straight });
    expect(problem).toMatch(/what it does in the host in Node would not show/);
  });

  test("secrets are not told", () => {
    const { problem } = of({ expect: { "content-type": "/json/" }, straight, isSecret: true });
    expect(problem).toContain("\n  content-type\n");
    expect(problem).not.toContain("application/json");
  });

  test("but one header that is there through the filter is enough", () => {
    expect(of({ expect: { "content-type": "/json/", "x-a": "1" }, straight }).problem).toBeUndefined();
    expect(of({ expect: { "content-type": "text/html" }, straight }).problem).toBeUndefined();
    expect(of({ expect: {}, straight }).problem).toBeUndefined();
  });
});
