// What filters outside of the project's own import as "meshup", compiled and run in the host in Node.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Plugin, type PluginOptions } from "../../host/plugin/plugin.ts";
import { buildModule } from "../build.ts";
import { scaffold } from "../new.ts";
import { resolveModule } from "../source.ts";

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "meshup-own-"));
});

afterAll(() => rm(scratch, { recursive: true }));

async function built(name: string, change: (source: string) => string): Promise<Uint8Array> {
  const { files } = await scaffold(name, scratch, "one");
  const [index = ""] = files;
  await writeFile(index, change(await readFile(index, "utf8")));
  const { path } = await buildModule(await resolveModule(join(scratch, "filters", name)), join(scratch, "modules"));
  return readFile(path);
}

const said = (plugin: Plugin) => plugin.logs.map(({ level, message }) => `${level} ${message}`);

describe("a filter that is told of streams", () => {
  let wasm: Uint8Array;
  beforeAll(async () => {
    const all = "proxy_on_context_create,\n  proxy_on_delete,\n  free,\n  malloc,";
    wasm = await built("told", (source) => source.replace("  malloc,", `  ${all}`));
  });

  const load = (value: string, options: Partial<PluginOptions> = {}) =>
    Plugin.load({ wasm, rootId: "told", configuration: JSON.stringify({ "x-told": value }), ...options });

  test("keeps configurations apart that have everything else in common", () => {
    const one = load("1");
    const two = load("2", { beside: one });
    const streams = [one, two, one, two].map((plugin) => plugin.stream());
    expect(streams.map((stream) => stream.exchange().response?.headers["x-told"])).toEqual(["1", "2", "1", "2"]);
    for (const stream of streams) stream.close();
    two.close();
    expect(one.stream().exchange().response?.headers).toEqual({ "x-told": "1" });
    const { entries } = one.measure(() => one.stream().exchange()).calls;
    expect(entries).toEqual({ proxy_on_context_create: 1, proxy_on_response_headers: 1, proxy_on_delete: 1 });
  });

  test("has a memory that does not grow with requests", () => {
    const plugin = load("1");
    const requests = () => {
      for (let i = 0; i < 20_000; i++) plugin.stream().exchange();
    };
    requests();
    expect(plugin.measure(requests).grownBytes).toBe(0);
  });
});

describe("a filter in strings", () => {
  let wasm: Uint8Array;
  beforeAll(async () => {
    wasm = await built("strings", () => stringsFilter);
  });

  const load = (configuration: unknown, options: Partial<PluginOptions> = {}) =>
    Plugin.load({ wasm, rootId: "strings", configuration: JSON.stringify(configuration), ...options });

  const refusal = (configuration: unknown) => {
    const lines: string[] = [];
    expect(() => load(configuration, { onLog: ({ message }) => lines.push(message) })).toThrow("returned false");
    return lines;
  };

  test("reads its configuration", () => {
    const configuration = { text: "é\u0000\n", count: 7, on: true, "X-One": "1", name: "X-Two" };
    const plugin = load(configuration, { clusters: { load: { status: 201, body: "böse" } } });
    expect(said(plugin)).toEqual([
      'info strings: text,count,on,X-One,name "é\\u0000\\u000a" 3 7 true other x-two',
      "warn what is wrong: a header's name cannot be empty; character 2 of its value is a control character; ",
      "error half of a surrogate pair (offset 7) | a String é😀, b Number -1.5E3, c Null , d Boolean false",
    ]);
    expect(plugin.stream().exchange().response?.headers).toEqual({ "x-one": "1", "x-two": "made" });
  });

  test("names every problem at once", () => {
    expect(refusal({ text: "", count: 1.5, on: "true", "X-One": " 1", name: "a b", more: 1 })).toEqual([
      'strings: configuration refused: "text" must be a string that is not empty (offset 8); ' +
        '"count" must be a whole number from 1 to 9 (offset 19); "on" must be true or false (offset 28); ' +
        '"X-One": its value begins or ends with a space (offset 43); ' +
        '"name" is "a b": character 2 of the name is not allowed in a header\'s name; ' +
        '"more" is not known; known are text, count, on, X-One, name, optional; never mind',
    ]);
    expect(refusal({ text: "never" })).toEqual([
      'strings: configuration refused: "X-One" is missing; "name" is missing; never mind',
    ]);
  });

  test("calls a cluster, and shares data", () => {
    const clusters = { load: { status: 201, body: "böse" } };
    const plugin = load({ text: "a", "X-One": "1", name: "n" }, { clusters });
    plugin.advance(150);
    expect(said(plugin).slice(-2)).toEqual(["info true null true böse false", 'info 201 "böse"']);
  });
});

const stringsFilter = `
import {
  Configuration, error, FilterRoot, Header, HttpGet, info, JsonKind, lowerCase, nameProblem, parseObject, quoted,
  registerRoot, SharedData, valueProblem, warn,
} from "meshup";
import { set_tick_period_milliseconds } from "@solo-io/proxy-runtime/assembly/runtime";

class Filter extends FilterRoot {
  private headers: Header[] = [];
  private call: HttpGet = new HttpGet("load", "host", "/path", 1000);

  configure(configuration: Configuration): void {
    const names = configuration.names().join(",");
    const text = configuration.string("text");
    const count = configuration.integer("count", 1, 1, 9);
    const on = configuration.boolean("on", false);
    this.headers = [configuration.header("X-One"), new Header(configuration.headerName("name"), "made")];
    const optional = configuration.string("optional", "other");
    configuration.refuseOthers();
    if (!configuration.isValid() || text == "never") configuration.problem("never mind");
    if (!configuration.isValid()) return;
    const name = lowerCase("X-TWO");
    info(\`\${this.rootId}: \${names} \${quoted(text)} \${text.length} \${count} \${on} \${optional} \${name}\`);
    warn("what is wrong: " + [nameProblem(""), valueProblem("a\\n"), valueProblem("a b")].join("; "));
    error(parseObject('{"a": "\\\\ud83d"}').problem + " | " + members());
    set_tick_period_milliseconds(100);
  }

  onResponseHeaders(): void {
    for (let i = 0; i < this.headers.length; i++) this.headers[i].putOnResponse();
  }

  onTick(): void {
    set_tick_period_milliseconds(0);
    const data = new SharedData("key");
    const before = data.read();
    const wrote = data.write(String.UTF8.encode("böse"));
    const bytes = data.read();
    const again = new SharedData("key").write(String.UTF8.encode("x"));
    info(\`\${this.call.send()} \${before ? "there" : "null"} \${wrote} \${bytes ? String.UTF8.decode(bytes) : ""} \${again}\`);
  }

  onHttpCallResponse(token: u32, headers: u32, bodySize: u32, trailers: u32): void {
    const answer = this.call.response(token, headers, bodySize);
    if (answer) info(\`\${answer.status} \${quoted(answer.body)}\`);
  }
}

function members(): string {
  const kinds = ["String", "Number", "Boolean", "Null", "Object", "Array"];
  const members = parseObject('{"a": "\\\\u00e9\\\\ud83d\\\\ude00", "b": -1.5E3, "c": null, "d": false}').members;
  let result = "";
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    result += \`\${i > 0 ? ", " : ""}\${member.name} \${kinds[<i32>member.kind]} \${member.text}\`;
  }
  return result;
}

registerRoot("strings", (contextId) => new Filter(contextId));

export {
  malloc, proxy_abi_version_0_2_0, proxy_on_configure, proxy_on_http_call_response, proxy_on_response_headers,
  proxy_on_tick,
} from "meshup/dispatch";
`;
