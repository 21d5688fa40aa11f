import { expect, test } from "vitest";
import { exec } from "./exec.ts";

const node = process.execPath;

test("gives what a program prints, and its exit code", async () => {
  const program = "process.stdin.pipe(process.stdout); console.error('aside'); process.exitCode = 3";
  expect(await exec(node, ["-e", program], { input: "text" })).toEqual({ code: 3, stdout: "text", stderr: "aside\n" });
});

test("calls for every whole line, whatever the stream", async () => {
  const lines: string[] = [];
  await exec(node, ["-e", "console.log('one\\ntwo'); console.error('three')"], { onLine: (line) => lines.push(line) });
  expect(lines.sort()).toEqual(["one", "three", "two"]);
});

test("kills a program that takes too long", async () => {
  const { code } = await exec(node, ["-e", "setInterval(() => {}, 1000)"], { timeoutMs: 50 });
  expect(code).toBeNull();
});

test("of a program that is not there nothing is left that would keep this process alive", async () => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
  const before = timers();
  await expect(exec("/nowhere/program", [], { timeoutMs: 60_000 })).rejects.toMatchObject({ code: "ENOENT" });
  expect(timers()).toBe(before);
});
