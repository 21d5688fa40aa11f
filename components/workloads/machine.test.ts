import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scratch } from "../../provider/testing/scratch.ts";
import { freePort } from "../../test/ports.ts";
import { portsInUse, programProblems } from "./machine.ts";

const problems = (command: string[], more: { directory?: string; env?: Record<string, string> } = {}) =>
  programProblems({ kind: "command", command, port: 3000, env: {}, directory: ".", http2: false, ...more });

test("a program is looked for on PATH, or in the folder where it runs", () => {
  const folder = scratch();
  writeFileSync(join(folder, "serve"), "#!/bin/sh\n");
  chmodSync(join(folder, "serve"), 0o755);
  expect(problems(["node", "x"])).toEqual([]);
  expect(problems(["./serve"], { directory: folder })).toEqual([]);
  expect(problems(["serve"], { env: { PATH: folder } })).toEqual([]);
});

test.each([
  ["a program that is not there", ["nodee"], {}, "command", "there is no program nodee on PATH"],
  [
    "one that is not on a PATH of its own",
    ["node"],
    { env: { PATH: "/nowhere" } },
    "command",
    "there is no program node",
  ],
  ["a file that is no program", ["./README.md"], {}, "command", "./README.md is no program that can be run in ."],
  ["a folder that is not there", ["node"], { directory: "nowhere" }, "directory", "nowhere: there is no such folder"],
])("%s", (_, command, more, key, message) => {
  expect(problems(command, more)).toEqual([{ key, message: expect.stringContaining(message) }]);
});

test("ports that others have, all of them", async () => {
  const [one, two, free] = await Promise.all([freePort(), freePort(), freePort()]);
  for (const port of [one, two]) {
    const server = createServer().listen(port, "127.0.0.1");
    onTestFinished(() => void server.close());
  }
  const folder = join(scratch(), "stack");
  mkdirSync(folder);
  const ports = { one, two, free };
  const claims = Object.entries(ports).map(([key, port]) => ({ key: `ports.${key}`, port }));
  expect(await portsInUse(claims, folder)).toEqual(
    ["one", "two"].map((key) => expect.stringMatching(new RegExp(`(pid ${process.pid}).*meshup:ports\\.${key}$`))),
  );
});
