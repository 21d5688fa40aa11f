import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { commands as benchmarks } from "../bench/commands.ts";
import { exec } from "../lib/exec.ts";
import { root } from "../lib/paths.ts";
import { shellQuote } from "./commands/init.ts";
import { commands } from "./main.ts";

// As bootstrap.mjs does it, but never installing anything under the running tests.
const script = `const { main } = await import("./cli/main.ts"); process.exitCode = await main(process.argv.slice(1));`;
const meshup = (...args: string[]) =>
  exec(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", script, "--", ...args], { cwd: root });

it.each([
  ["an unknown command", ["nope"], /no command "nope"[\s\S]*start[\s\S]*destroy/],
  ["no command", [], /^The commands of `npm run` are/],
  ["a name that is on every object", ["constructor"], /no command "constructor"/],
  ["an unknown stack", ["start", "nope"], /no stack "nope".*the stacks are .*local/],
  ["an unknown option", ["status", "--nope"], /no option --nope[\s\S]*Usage: npm run status -- \[STACK\]/],
  ["a filter without a name", ["new"], /npm run new -- NAME/],
  ["endless JSON", ["logs", "--follow", "--json"], /--follow has no end/],
])("%s is one message on standard error, without a stack trace", async (_what, args, message) => {
  const { code, stdout, stderr } = await meshup(...args);
  expect(code).toBe(1);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^\s+at /m);
  if (!args.includes("--json")) expect(stdout).toBe("");
});

it.each([[["start", "nope", "--json"]], [["status", "--json", "--nope"]], [["destroy", "nope", "--json"]]])(
  "%j gives one JSON document on standard output",
  async (args) => {
    const { code, stdout, stderr } = await meshup(...args);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({ ok: false, error: stderr.trim() });
  },
);

it("explains a command", async () => {
  const { code, stdout } = await meshup("logs", "--help");
  expect(code).toBe(0);
  expect(stdout).toMatch(/Usage: npm run logs -- \[STACK\] \[NAME\][\s\S]*--lines N[\s\S]*--follow/);
});

it.each([
  ["/plain/path:x", "/plain/path:x"],
  ["a b", "'a b'"],
  ["it's $HOME", `'it'\\''s $HOME'`],
  ["", "''"],
])("quotes %j for a shell", async (text, quoted) => {
  expect(shellQuote(text)).toBe(quoted);
  expect((await exec("/bin/sh", ["-c", `printf %s ${quoted}`])).stdout).toBe(text);
});

it("package.json, the commands and the README's table name the same", () => {
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    scripts: Record<string, string>;
  };
  const names = Object.keys({ ...commands, ...benchmarks }).sort();
  expect(Object.keys(scripts).sort()).toEqual(names);
  for (const [name, script] of Object.entries(scripts)) expect(script).toBe(`node cli/bootstrap.cjs ${name}`);
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const table = [...readme.matchAll(/^\| `npm (?:run )?([\w:-]+)/gm)].map((match) => match[1]).sort();
  expect(table).toEqual(names);
});
