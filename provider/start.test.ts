import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { root } from "../lib/paths.ts";
import { scratch } from "./testing/scratch.ts";

/** Starts the provider as the engine does. */
function startProvider(env: NodeJS.ProcessEnv) {
  const child = spawn(join(root, "provider", "pulumi-resource-meshup"), ["127.0.0.1:1"], {
    cwd: "/",
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

test.each([
  ["before it starts", 'console.log("12345");'],
  ["without an end", 'for (let i = 0; i < 3000; i++) setTimeout(() => console.log("12345"), i).unref();'],
  ["straight into standard output", 'require("node:fs").writeSync(1, "12345\\n");'],
])("standard output is the port alone, whatever a preload prints %s", async (_when, body) => {
  const preload = join(scratch(), "preload.cjs");
  writeFileSync(preload, `if (process.argv[1]?.endsWith("start.mjs")) { ${body} }`);
  const child = startProvider({ NODE_OPTIONS: `--require ${preload}` });
  const stderr = text(child.stderr);
  const stdout = await text(child.stdout); // the provider lets go of it once it has said the port
  expect(stdout).toMatch(/^\d+\n$/);
  expect(stdout).not.toBe("12345\n");
  const socket = connect(Number(stdout), "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
  child.kill();
  expect(await stderr).toContain("12345");
});
