import * as pulumi from "@pulumi/pulumi";
import { beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { keepSecrets, markSecrets, type Secret, secretsIn, secretsOf } from "./secrets.ts";

const values = {
  filters: [
    {
      name: "one",
      module: "./filter",
      target: { route: "r" },
      config: { "x-key": "hush", open: "o", list: ["a", "b"] },
    },
    { name: "two", module: "./filter", config: "whole", expect: { "x-two": "seen" } },
  ],
  registry: { address: "r.example.com", username: "me" },
  registryPassword: "pass",
  concurrency: 2,
};

describe("the secrets of a configuration", () => {
  const all = (key: string) => key !== "concurrency";

  it("stand where the stack's file has them", () => {
    const places = [
      ["filters", 0, "config", "x-key"],
      ["filters", 1, "config"],
      ["filters", 1, "expect", "x-two"],
      ["registry", "username"],
      ["registryPassword"],
      ["filters", 7, "config"], // a file that Pulumi was not given
    ];
    const within = JSON.stringify(values.filters[0]?.config);
    expect(secretsOf(values, all, places)).toEqual([
      { key: 'filter "one": config.x-key', value: "hush", within },
      { key: 'filter "two": config', value: "whole" },
      { key: 'filter "two": expect.x-two', value: "seen" },
      { key: "meshup:registry.username", value: "me" },
      { key: "meshup:registryPassword", value: "pass" },
    ]);
  });

  it("are all that a filter may have where Pulumi tells the key alone", () => {
    const found = secretsOf(values, (key) => key === "filters", []);
    expect(found.map(({ value }) => value)).toEqual(["hush", "o", "a", "b", "whole", "seen"]);
  });

  it("are a whole value's leaves, where it was given as one text", () => {
    const found = secretsOf({ registry: { address: "a", username: "b" } }, () => true, [["registry"]]);
    expect(found.map(({ value }) => value)).toEqual(["a", "b"]);
  });

  it("are none where Pulumi knows of none", () => {
    expect(secretsOf(values, () => false, [["filters", 0, "config", "x-key"]])).toEqual([]);
  });
});

const hush: Secret = { key: "k", value: 'hu"sh', within: '{"a":"hu\\"sh","b":1}' };
const short: Secret = { key: "s", value: "ab", within: '{"x":"ab"}' };

describe("a secret is found", () => {
  it.each([
    ['hu"sh', [hush]],
    ['Bearer hu"sh', [hush]],
    ['{"a":"hu\\"sh"}', [hush]],
    ["hush", []],
    ["ab", [short]],
    ["cab", []],
    ['{"x":"ab"}', [short]],
    ['name: {"x":"ab"} and more', [short]],
    ["", []],
  ])("in %j", (text, found) => expect(secretsIn(text, [hush, short])).toEqual(found));

  it("never for being empty", () => expect(secretsIn("anything", [{ key: "e", value: "" }])).toEqual([]));
});

describe("a value is marked", () => {
  const isSecret = (value: unknown) => pulumi.isSecret(value as pulumi.Output<unknown>);

  it("leaf by leaf, and nothing else of it", async () => {
    const resource = { plain: "x", deep: [{ key: 'hu"sh' }, 1, null, undefined], out: pulumi.output({ a: 'hu"sh' }) };
    const marked = markSecrets(resource, [hush]);
    expect(marked).toMatchObject({ plain: "x", deep: [{}, 1, null, undefined] });
    expect(await isSecret(marked.deep[0] && (marked.deep[0] as { key: unknown }).key)).toBe(true);
    expect(await isSecret(marked.out)).toBe(true);
    expect(await isSecret(markSecrets(pulumi.output("x"), [hush]))).toBe(false);
    expect(await isSecret(markSecrets(Promise.resolve('hu"sh'), [hush]))).toBe(true);
    expect(Object.keys(marked)).toEqual(["plain", "deep", "out"]);
  });

  it("and the key of each secret is told", () => {
    const found: string[] = [];
    markSecrets(["ab", { a: 'a hu"sh' }], [hush, short], ({ key }) => found.push(key));
    expect(found).toEqual(["s", "k"]);
  });
});

class Made extends pulumi.CustomResource {}

describe("every resource", () => {
  const made: { type: string; inputs: Record<string, unknown> }[] = [];
  beforeAll(() =>
    pulumi.runtime.setMocks({
      newResource: ({ type, name, inputs }) => {
        made.push({ type, inputs });
        return { id: name, state: inputs };
      },
      call: () => {
        throw new Error("not expected");
      },
    }),
  );
  beforeEach(() => made.splice(0));

  it("keeps a secret, and where a cluster has it in plain text that is said once for each kind", async () => {
    const warn = vi.spyOn(pulumi.log, "warn").mockResolvedValue();
    await pulumi.runtime.runInPulumiStack(async () => {
      keepSecrets([{ key: 'filter "one": config.x-key', value: "hush" }]);
      const create = (type: string, name: string, props: object) => new Made(type, name, { ...props });
      create("meshup:index:Preflight", "p", { configuration: '{"a":"hush"}', rootId: "r" });
      create("kubernetes:extensions.istio.io/v1alpha1:WasmPlugin", "one", {
        kind: "WasmPlugin",
        spec: pulumi.output({ pluginConfig: { a: "hush" } }),
      });
      create("kubernetes:extensions.istio.io/v1alpha1:WasmPlugin", "two", { kind: "WasmPlugin", spec: { a: "hush" } });
      create("kubernetes:apps/v1:Deployment", "app", { spec: { env: [{ name: "A", value: "hush" }] } });
      create("kubernetes:core/v1:Secret", "s", { stringData: { a: "hush" } });
      return {};
    });
    await vi.waitFor(() => expect(made.filter(({ type }) => type !== "pulumi:pulumi:Stack")).toHaveLength(5));
    const text = warn.mock.calls.map(([message]) => message).sort();
    warn.mockRestore();
    expect(text).toEqual([
      expect.stringMatching(
        /^filter "one": config\.x-key is a secret, and stands in plain text in the Deployment app: /,
      ),
      expect.stringMatching(
        /^filter "one": config\.x-key is a secret, and stands in plain text in the WasmPlugin (one|two): /,
      ),
    ]);
    const { configuration, rootId } = made.find(({ type }) => type === "meshup:index:Preflight")?.inputs ?? {};
    expect({ configuration, rootId }).toEqual({
      configuration: expect.objectContaining({ value: '{"a":"hush"}' }), // Pulumi's wrapping of a secret
      rootId: "r",
    });
  });
});
