import { LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { messageOf, UserError } from "../../lib/errors.ts";
import { readText } from "../../lib/files.ts";

/**
 * Filter cases as data: a YAML file with a list under `cases`. Each runs in the host in Node (`host-cases.ts`) and
 * through a live proxy; what is expected is the same.
 */

/** YAML's numbers and booleans stand for their text in headers. */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const headers = z.record(z.string(), text);
const status = z.int().min(200).max(599);

/** An exact value, a `/regular expression/`, or null: the header is not there. */
const expectedHeader = text
  .refine((value) => pattern(value) !== "wrong", "is not a regular expression that can be compiled")
  .nullable();

const scriptedResponse = z.strictObject({
  status: status.optional(),
  headers: headers.optional(),
  body: z.string().optional(),
});

/** What a cluster answers; `down` alone: nobody listens there. */
const cluster = scriptedResponse
  .extend({ down: z.literal(true).optional() })
  .refine(({ down, ...response }) => !down || Object.keys(response).length === 0, "is down and cannot answer");

/** Rules between keys are checked even where a key by itself is wrong, so that all mistakes are told at once. */
const always = ({ value }: { value: unknown }) => typeof value === "object" && value !== null;

const caseSchema = z
  .strictObject({
    name: z.string().min(1),
    /** Root id; default: the one that the runner is for. */
    root: z.string().optional(),
    /** The plugin's configuration: any JSON, or `configText` as it is. */
    config: z.json().optional(),
    configText: z.string().optional(),
    /** What the clusters answer that the filter calls. A runner with a live proxy puts servers behind them. */
    clusters: z.record(z.string(), cluster).optional(),
    /** Milliseconds between the start of the filter and the request; with a live proxy they are a wait. */
    advance: z.number().nonnegative().optional(),
    request: z
      .strictObject({
        method: z.string().optional(),
        path: z.string().startsWith("/").optional(),
        headers: headers.optional(),
        body: z.string().optional(),
      })
      .optional(),
    /** What the workload answers; default: 200 and nothing else. */
    upstream: scriptedResponse.optional(),
    expect: z.strictObject({
      response: z
        .strictObject({
          status: status.optional(),
          headers: z.record(z.string(), expectedHeader).optional(),
          body: text.optional(),
        })
        .optional(),
      /** What the workload saw. */
      request: z.strictObject({ headers: z.record(z.string(), expectedHeader) }).optional(),
      /** Texts that must be in some log line each. */
      log: z.array(z.string().min(1)).optional(),
      /** A text in the reason why the proxy does not take the module or its configuration. */
      refused: z.string().min(1).optional(),
    }),
  })
  .refine(({ config, configText }) => config === undefined || configText === undefined, {
    path: ["configText"],
    error: "cannot stand beside config",
    when: always,
  })
  .refine(({ expect }) => Object.keys(expect ?? {}).length > 0, {
    path: ["expect"],
    error: "expects nothing",
    when: always,
  })
  .refine(({ expect }) => !expect?.refused || !(expect.response || expect.request), {
    path: ["expect", "refused"],
    error: "cannot stand beside response or request",
    when: always,
  });

const fileSchema = z.strictObject({ cases: z.array(caseSchema).min(1) }).refine((file) => twice(file) === undefined, {
  path: ["cases"],
  error: ({ input }) => `two have the name ${JSON.stringify(twice(input))}`,
  when: always,
});

/** The first name that two cases have; of data that need not be right otherwise. */
function twice(file: unknown): string | undefined {
  const cases = (file as { cases?: unknown } | null)?.cases;
  const names = (Array.isArray(cases) ? cases : []).map((one) => one?.name);
  return names.find((name, i) => name !== undefined && names.indexOf(name) < i);
}

/** One case, checked. */
export type FilterCase = z.output<typeof caseSchema>;
export type Expectation = FilterCase["expect"];

/** What came of a case. */
export interface Observed {
  /** Why the module or its configuration was not taken. */
  refused?: string;
  /** What the client got; header names in lower case, several values joined by `, `. None: it got no response. */
  response?: { status: number; headers: Record<string, string>; body: string };
  /** What the workload saw; none: the request never got there. */
  request?: { headers: Record<string, string> };
  /** The module's log lines, without the proxy's prefix. */
  logs: string[];
}

/** Runs a case somewhere: in the host, or through a live proxy. */
export type Send = (filterCase: FilterCase) => Observed | Promise<Observed>;

/**
 * Reads and checks a file of cases.
 * @throws UserError with every mistake: the file, the key, and what is wrong with it
 */
export function loadCases(file: string): FilterCase[] {
  let source: string;
  try {
    source = readText(file);
  } catch (error) {
    throw new UserError(`cannot read the cases: ${messageOf(error)}`);
  }
  return parseCases(source, file);
}

/** As `loadCases`, from the text itself; `file` is what errors call it. */
export function parseCases(source: string, file: string): FilterCase[] {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  const mistakes = document.errors.map(({ message, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `${file}:${line}:${col}: ${message}`;
  });
  if (mistakes.length > 0) throw new UserError(mistakes.join("\n"));
  const result = fileSchema.safeParse(document.toJS());
  if (result.success) return result.data.cases;
  throw new UserError(result.error.issues.map((issue) => `${file}: ${keyOf(issue.path)}${issue.message}`).join("\n"));
}

/** `cases[2].expect.status: `; nothing for the file as a whole. */
function keyOf(path: PropertyKey[]): string {
  const key = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`)).join("");
  return key === "" ? "" : `${key.replace(/^\./, "")}: `;
}

/** The configuration as the module gets it; undefined: none. */
export function configurationText({ config, configText }: FilterCase): string | undefined {
  return config === undefined ? configText : JSON.stringify(config);
}

/** Runs a case and tells what is not as expected; nothing: it passed. */
export async function runCase(filterCase: FilterCase, send: Send): Promise<string[]> {
  const observed = await send(filterCase);
  const mismatches = check(filterCase.expect, observed);
  const said = observed.logs.length > 0 ? observed.logs.map((line) => `it logged: ${line}`) : ["it logged nothing"];
  return mismatches.length > 0 ? [...mismatches, ...said] : [];
}

function check(expect: Expectation, { refused, response, request, logs }: Observed): string[] {
  const missingLogs = (expect.log ?? []).filter((wanted) => !logs.some((line) => line.includes(wanted)));
  const mismatches = missingLogs.map((wanted) => `log: no line has ${JSON.stringify(wanted)}`);
  if (expect.refused !== undefined) {
    if (refused === undefined)
      mismatches.push(`expected a refusal with ${JSON.stringify(expect.refused)}, it was taken`);
    else if (!refused.includes(expect.refused)) {
      mismatches.push(`expected a refusal with ${JSON.stringify(expect.refused)}, got ${JSON.stringify(refused)}`);
    }
    return mismatches;
  }
  if (refused !== undefined) return [...mismatches, `refused: ${refused}`];
  if (expect.response) mismatches.push(...checkResponse(expect.response, response));
  if (expect.request) {
    if (!request) mismatches.push("the request did not reach the workload");
    else mismatches.push(...checkHeaders("request header", expect.request.headers, request.headers));
  }
  return mismatches;
}

/** What of a response is not as expected. */
export function checkResponse(expect: NonNullable<Expectation["response"]>, response: Observed["response"]): string[] {
  if (!response) return ["there was no response"];
  const mismatches: string[] = [];
  if (expect.status !== undefined && expect.status !== response.status) {
    mismatches.push(`status: expected ${expect.status}, got ${response.status}`);
  }
  mismatches.push(...checkHeaders("header", expect.headers ?? {}, response.headers));
  if (expect.body !== undefined && expect.body !== response.body) {
    mismatches.push(`body: expected ${JSON.stringify(expect.body)}, got ${JSON.stringify(response.body)}`);
  }
  return mismatches;
}

function checkHeaders(what: string, expected: Record<string, string | null>, got: Record<string, string>): string[] {
  return Object.entries(expected).flatMap(([name, wanted]) => {
    const value = got[name.toLowerCase()];
    const says = value === undefined ? "none" : JSON.stringify(value);
    if (wanted === null) return value === undefined ? [] : [`${what} ${name}: expected none, got ${says}`];
    const regex = pattern(wanted);
    const matches = regex instanceof RegExp ? value !== undefined && regex.test(value) : value === wanted;
    return matches ? [] : [`${what} ${name}: expected ${regex ? wanted : JSON.stringify(wanted)}, got ${says}`];
  });
}

/** `/…/` as a regular expression; undefined: an exact value. */
function pattern(value: string): RegExp | "wrong" | undefined {
  const source = /^\/(.+)\/$/s.exec(value)?.[1];
  if (source === undefined) return undefined;
  try {
    return new RegExp(source);
  } catch {
    return "wrong";
  }
}
