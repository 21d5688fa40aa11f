import { expect, it } from "vitest";
import { secretKeys, secretProblems } from "./secrets.ts";

const web = { image: "web", port: 80, env: { TOKEN: { secret: "token" }, MODE: "x" }, pullSecret: { secret: "pull" } };

it("secrets are those of variables, and of what an image is pulled with", () => {
  expect(secretKeys({ web, other: { image: "other", env: { TOKEN: { secret: "token" } } } }, [])).toEqual([
    "token",
    "pull",
  ]);
});

it("a variable whose name is `secret` is one like any other, and hides none", () => {
  const workloads = { web: { image: "web", env: { secret: "abc", TOKEN: { secret: "token" } } } };
  expect(secretKeys(workloads, [])).toEqual(["token"]);
  expect(secretProblems(workloads, [], () => true)).toEqual([]);
});

it.each([undefined, null, [], "web", { web: null }, { web: { env: "x", pullSecret: "name" } }])(
  "%j has none",
  (all) => {
    expect(secretKeys(all, [])).toEqual([]);
  },
);

it("what is not set, not secret or a setting is told, each at its place", () => {
  const kept = (key: string) => ({ pull: false })[key];
  expect(secretProblems({ web }, [], kept)).toEqual([
    {
      path: ["workloads", "web", "env", "TOKEN", "secret"],
      message: expect.stringContaining("meshup:token is not set"),
    },
    { path: ["workloads", "web", "pullSecret", "secret"], message: expect.stringContaining("not kept as a secret") },
  ]);
  expect(secretProblems({ web }, ["token", "pull"], () => true)).toHaveLength(2);
});
