import { expect, it } from "vitest";
import { type ArgumentSpec, parseArguments, usageOf, wholeNumber } from "./arguments.ts";

const spec: ArgumentSpec = {
  usage: "npm run logs -- [STACK]",
  maxPositionals: 1,
  options: { lines: { value: "N", help: "how many" }, follow: { help: "go on" }, help: { help: "this" } },
};

it.each([
  [[], { positionals: [], options: {} }],
  [["local"], { positionals: ["local"], options: {} }],
  [["--follow", "local"], { positionals: ["local"], options: { follow: true } }],
  [["--lines", "5"], { positionals: [], options: { lines: "5" } }],
  [["--lines=5", "-h"], { positionals: [], options: { lines: "5", help: true } }],
])("%j", (args, expected) => {
  expect(parseArguments(args, spec)).toEqual(expected);
});

it.each([
  [["--nope"], "there is no option --nope"],
  [["-f"], "there is no option -f"],
  [["--constructor"], "there is no option --constructor"],
  [["--lines"], "--lines needs a value: --lines N"],
  [["--lines="], "--lines needs a value"],
  [["--follow=yes"], "--follow takes no value"],
  [["a", "b", "c"], "too many arguments: b c"],
])("%j is refused", (args, problem) => {
  expect(() => parseArguments(args, spec)).toThrow(problem);
});

it("names every problem at once, and what there is", () => {
  expect(() => parseArguments(["--nope", "a", "b", "--lines"], spec)).toThrow(
    /no option --nope[\s\S]*--lines needs[\s\S]*too many arguments: b[\s\S]*Usage: npm run logs[\s\S]*--follow/,
  );
});

it("shows a line for each option", () => {
  expect(usageOf(spec).split("\n")).toHaveLength(4);
});

it.each(["x", "-1", "1.5", "", "99999999999999999999"])("%j is no whole number", (text) => {
  expect(() => wholeNumber("lines", text)).toThrow(`--lines ${text}: a whole number`);
});

it("takes a whole number", () => {
  expect(wholeNumber("lines", "0")).toBe(0);
});
