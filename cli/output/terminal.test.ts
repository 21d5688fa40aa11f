import { expect, it } from "vitest";
import { createTerminal, duration } from "./terminal.ts";

function sink(isTTY = false) {
  const written: string[] = [];
  return { isTTY, columns: 40, written, write: (text: string) => written.push(text) };
}

it("gives standard output to the document alone with --json", () => {
  const [stdout, stderr] = [sink(), sink()];
  const terminal = createTerminal({ json: true, stdout, stderr, env: {} });
  terminal.print("result");
  terminal.note("progress");
  terminal.document({ ok: true });
  expect(JSON.parse(stdout.written.join(""))).toEqual({ ok: true });
  expect(stderr.written).toEqual(["progress\n"]);
});

it("has no document without --json", () => {
  const [stdout, stderr] = [sink(), sink()];
  const terminal = createTerminal({ json: false, stdout, stderr, env: {} });
  terminal.print("result");
  terminal.document({ ok: true });
  expect(stdout.written).toEqual(["result\n"]);
});

it.each([
  ["a pipe", false, {}],
  ["NO_COLOR", true, { NO_COLOR: "1" }],
  ["a dumb terminal", true, { TERM: "dumb" }],
])("has no colours for %s", (_what, isTTY, env) => {
  const terminal = createTerminal({ json: false, stdout: sink(isTTY), stderr: sink(isTTY), env });
  expect(terminal.paint.bad("x")).toBe("x");
});

it("colours on a terminal", () => {
  const terminal = createTerminal({ json: false, stdout: sink(true), stderr: sink(true), env: { TERM: "xterm" } });
  expect(terminal.paint.bad("x")).toBe("\u001b[31mx\u001b[0m");
});

it("replaces the status by the next line, and cuts it to the terminal's width", () => {
  const stderr = sink(true);
  const terminal = createTerminal({ json: false, stdout: sink(true), stderr, env: {} });
  terminal.status("x".repeat(100));
  terminal.status("x".repeat(100)); // the same: nothing is written
  terminal.note("line");
  expect(stderr.written).toEqual(["x".repeat(39), "\r\u001b[K", "line\n"]);
});

it("shows no status where there is no terminal", () => {
  const stderr = sink();
  createTerminal({ json: false, stdout: sink(), stderr, env: {} }).status("working");
  expect(stderr.written).toEqual([]);
});

it.each([
  [850, "850 ms"],
  [1234, "1.2 s"],
  [9960, "10 s"],
  [185_000, "3 min 5 s"],
])("%d ms is %s", (ms, text) => {
  expect(duration(ms)).toBe(text);
});
