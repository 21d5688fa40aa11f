import { expect, it } from "vitest";
import { giveConfigItsName } from "./config-name.ts";

/** What of Pulumi's SDK has the configuration. */
function sdk(config: Record<string, string>, secretKeys: string[] = []) {
  const state = { config, secretKeys };
  const runtime = {
    allConfig: () => state.config,
    isConfigSecret: (key: string) => state.secretKeys.includes(key),
    setAllConfig: (config: Record<string, string>, secretKeys: string[]) =>
      Object.assign(state, { config, secretKeys }),
  };
  giveConfigItsName(runtime as never);
  return state;
}

it("the program finds its configuration under its own name", () => {
  expect(
    sdk({ "meshup-config:mesh": "x", "meshup-config:filters": "[]", "aws:region": "r" }, ["meshup-config:filters"]),
  ).toEqual({
    config: { "meshup:mesh": "x", "meshup:filters": "[]", "aws:region": "r" },
    secretKeys: ["meshup:filters"],
  });
});

it("what an environment of Pulumi ESC gives is below the stack's file, mapping by mapping", () => {
  const { config, secretKeys } = sdk(
    {
      "meshup-config:load": '{"a":{"b":1},"l":[1]}',
      "meshup:load": '{"a":{"b":2,"c":3},"d":4,"l":[2,3]}',
      "meshup:mesh": "theirs",
      "meshup-config:mesh": "ours",
      "meshup:only": "theirs",
    },
    ["meshup:load", "meshup:only"],
  );
  expect(JSON.parse(config["meshup:load"] as string)).toEqual({ a: { b: 1, c: 3 }, d: 4, l: [1] });
  expect(config).toMatchObject({ "meshup:mesh": "ours", "meshup:only": "theirs" });
  expect(secretKeys.sort()).toEqual(["meshup:load", "meshup:only"]);
});
