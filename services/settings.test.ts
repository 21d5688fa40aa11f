import { expect, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { createLog } from "./log.ts";
import { Settings } from "./settings.ts";

const port = { fallback: 8080, min: 0, max: 65_535 };

test("what is not set has its default; what is set is taken", () => {
  const none = new Settings({});
  expect([none.integer("PORT", port), none.host("HOST", "127.0.0.1"), none.choice("L", ["a", "b"], "b")]).toEqual([
    8080,
    "127.0.0.1",
    "b",
  ]);
  const all = new Settings({ PORT: "0", HOST: "::1", L: "a", J: "[1]" });
  expect(all.integer("PORT", port)).toBe(0);
  expect(all.host("HOST", "127.0.0.1")).toBe("::1");
  expect(all.choice("L", ["a", "b"], "b")).toBe("a");
  expect(all.json<unknown>("J", "[]", (value) => value, [])).toEqual([1]);
  expect(() => all.check()).not.toThrow();
});

test.each(["", "x", "-1", "65536", "1.5", " 80", "8e1", "tcp://10.0.0.1:80"])("PORT=%j is refused", (value) => {
  const settings = new Settings({ PORT: value });
  expect(settings.integer("PORT", port)).toBe(8080);
  expect(settings.problems).toEqual([`PORT: ${JSON.stringify(value)} is not a whole number from 0 to 65535`]);
});

test.each(["", "a b", "300.1.1.1", "1.2.3", "http://x", "-a", "a..b", "127.0.0.1:80"])(
  "HOST=%j is refused",
  (value) => {
    const settings = new Settings({ HOST: value });
    settings.host("HOST", "127.0.0.1");
    expect(settings.problems).toHaveLength(1);
  },
);

test.each(["0.0.0.0", "::", "localhost", "echo.default.svc"])("HOST=%j is taken", (value) => {
  expect(new Settings({ HOST: value }).host("HOST", "127.0.0.1")).toBe(value);
});

test("check names every problem at once, on one line", () => {
  const settings = new Settings({ PORT: "x\ny", L: "c", J: "{" });
  settings.integer("PORT", port);
  settings.choice("L", ["a", "b"], "b");
  settings.json("J", '["right"]', () => 0, 0);
  settings.json("K", '["right"]', () => 0, 0);
  expect(() => settings.check()).toThrow(UserError);
  expect(() => settings.check()).toThrow(
    /^wrong settings: PORT: "x\\ny" .*; L: "c" is not one of a, b; J is not JSON \(.*\["right"\]; K is not set; .*\["right"\]$/,
  );
});

test("the log is one JSON object for each line, from its level up", () => {
  const lines: string[] = [];
  const log = createLog("echo", "warn", (line) => lines.push(line));
  log("debug", "no");
  log("info", "no");
  log("warn", "two\nlines", { port: 1 });
  log("error", "yes");
  expect(lines.map((line) => line.endsWith("\n") && line.indexOf("\n") === line.length - 1)).toEqual([true, true]);
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { time: expect.any(String), level: "warn", service: "echo", message: "two\nlines", port: 1 },
    { time: expect.any(String), level: "error", service: "echo", message: "yes" },
  ]);
});
