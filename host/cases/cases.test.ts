import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { UserError } from "../../lib/errors.ts";
import { root } from "../../lib/paths.ts";
import { compileProbe } from "../fixtures/compile.ts";
import { configurationText, loadCases, parseCases, runCase } from "./cases.ts";
import { hostSend } from "./host-cases.ts";

let wasm: Uint8Array;
beforeAll(async () => {
  wasm = await compileProbe();
});

describe("cases run in the host", () => {
  test.each(
    loadCases(join(root, "host/fixtures/cases.yaml")).map((filterCase) => [filterCase.name, filterCase] as const),
  )("%s", async (_, filterCase) => {
    expect(await runCase(filterCase, hostSend({ wasm }))).toEqual([]);
  });
});

describe("a case that does not hold tells all that is wrong", () => {
  const run = (source: string) => {
    const [only] = parseCases(`cases: [{ name: a, ${source} }]`, "x.yaml");
    return runCase(only as NonNullable<typeof only>, hostSend({ wasm }));
  };

  test("status, headers and body, and what was logged", async () => {
    const wanted = "{ status: 404, headers: { x-probe: /^no/, x-other: a, x-up: null, X-PROBE: gone }, body: b }";
    expect(await run(`configText: add, upstream: { headers: { x-up: 1 } }, expect: { response: ${wanted} }`)).toEqual([
      "status: expected 404, got 200",
      'header x-probe: expected /^no/, got "here"',
      'header x-other: expected "a", got none',
      'header x-up: expected none, got "1"',
      'header X-PROBE: expected "gone", got "here"',
      'body: expected "b", got ""',
      "it logged nothing",
    ]);
  });

  test("logs, refusals, requests", async () => {
    expect(await run("configText: stdout, expect: { log: [nope, from stdout] }")).toEqual([
      'log: no line has "nope"',
      "it logged: from stdout",
      "it logged: fd_write: 0 12 8",
      "it logged: foreign: 1",
    ]);
    expect((await run("configText: add, expect: { refused: why }"))[0]).toBe(
      'expected a refusal with "why", it was taken',
    );
    expect((await run("configText: false-configure, expect: { refused: why }"))[0]).toMatch(
      /^expected a refusal with "why", got "Failed/,
    );
    expect((await run("configText: false-configure, expect: { response: { status: 200 } }"))[0]).toMatch(
      /^refused: Failed to configure/,
    );
    expect((await run("configText: deny, expect: { request: { headers: {} } }"))[0]).toBe(
      "the request did not reach the workload",
    );
    expect((await run("configText: pause, expect: { response: { status: 200 } }"))[0]).toBe("there was no response");
    expect(
      (await run("configText: trap-response-body, upstream: { body: x }, expect: { response: { status: 200 } }"))[0],
    ).toBe("there was no response");
  });
});

describe("a file of cases that is not right", () => {
  const mistakes = (source: string) => {
    try {
      parseCases(source, "my/cases.yaml");
    } catch (error) {
      expect(error).toBeInstanceOf(UserError);
      return (error as Error).message.split("\n");
    }
    throw new Error("it was taken");
  };

  test("every mistake is named with its file and key", () => {
    const source = `
cases:
  - name: one
    request: { path: a, methods: GET }
    upstream: { status: "200" }
    expect: { response: { headers: { x: "/(/" } } }
  - name: one
    config: {}
    configText: "{}"
    advance: -1
    clusters: { a: { down: false }, b: { status: 200, down: true } }
    expect: {}
  - name: three
    expect: { refused: a, response: {} }
`;
    const found = mistakes(source);
    const keys = [
      "cases[0].request.path: ",
      'cases[0].request: Unrecognized key: "methods"',
      "cases[0].upstream.status: ",
      "cases[0].expect.response.headers.x: is not a regular expression that can be compiled",
      "cases[1].advance: ",
      "cases[1].clusters.a.down: Invalid input: expected true",
      "cases[1].clusters.b: is down and cannot answer",
      "cases[1].configText: cannot stand beside config",
      "cases[1].expect: expects nothing",
      "cases[2].expect.refused: cannot stand beside response or request",
      'cases: two have the name "one"',
    ];
    expect(found).toHaveLength(keys.length);
    for (const key of keys) expect(found).toContainEqual(expect.stringContaining(`my/cases.yaml: ${key}`));
  });

  test("no YAML, no cases, no file", () => {
    expect(mistakes("cases: [\n  {name: a\n")[0]).toMatch(/^my\/cases\.yaml:\d+:\d+: /);
    expect(mistakes("")[0]).toMatch(/^my\/cases\.yaml: /);
    expect(mistakes("cases: []")[0]).toMatch(/^my\/cases\.yaml: cases: /);
    expect(() => loadCases("/no/such/file.yaml")).toThrow(UserError);
  });
});

test("the configuration is JSON, or text as it is", () => {
  const [json, text, none] = parseCases(
    'cases: [{name: a, config: {x: "1"}, expect: {log: [a]}}, {name: b, configText: "{", expect: {log: [a]}}, {name: c, expect: {log: [a]}}]',
    "x.yaml",
  );
  expect([json, text, none].map((one) => one && configurationText(one))).toEqual(['{"x":"1"}', "{", undefined]);
});
