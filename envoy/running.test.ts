import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { UserError } from "../lib/errors.ts";
import { identify } from "../process/table.ts";
import { scratch } from "../provider/testing/scratch.ts";
import { RunningEnvoy, type RunningEnvoyArgs } from "./running.ts";

/** An admin interface, and a process that lives beside it. */
async function running(answer: RequestListener, args: Partial<RunningEnvoyArgs> = {}) {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const child: ChildProcess = spawn("sleep", ["600"]);
  onTestFinished(() => {
    child.kill("SIGKILL");
    server.closeAllConnections();
    server.close();
  });
  const path = join(scratch(), "envoy.log");
  writeFileSync(path, "before\nits last words\n");
  const admin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  const pid = child.pid as number;
  const process = `${pid}@${identify(pid)?.startTime}`;
  return { child, envoy: new RunningEnvoy({ admin, process, log: { path, offset: 7 }, ...args }) };
}

const stats = (value: number) => JSON.stringify({ stats: [{ name: "a", value }] });

test("silence costs no patience", async () => {
  let asked = 0;
  const { envoy } = await running(async (_, response) => {
    await sleep(300);
    response.end(stats(++asked));
  });
  await envoy.until("count to 4", 600, async () => (await envoy.admin.stats(/a/)).get("a") === 4);
  expect(asked).toBe(4);
});

test("one that answers, and does not do it, has only so long", async () => {
  const { envoy } = await running((_, response) => response.end(stats(1)));
  const waiting = envoy.until("read its listener", 200, async () => (await envoy.admin.stats(/a/)).get("a") === 2);
  await expect(waiting).rejects.toThrow(/^Envoy did not read its listener within 0\.2 s\. Its log: .*envoy\.log$/);
});

test("what is waited for is said, once", async () => {
  const said: string[] = [];
  let isSaid = () => {};
  const saying = new Promise<void>((resolve) => {
    isSaid = resolve;
  });
  const { envoy, child } = await running(
    async (_, response) => {
      await saying;
      response.end(stats(1));
    },
    {
      say: (message) => {
        said.push(message);
        isSaid();
      },
    },
  );
  await envoy.admin.stats(/a/);
  expect(said).toEqual([
    `Envoy (pid ${child.pid}) is busy and does not answer, as while it compiles a large module. It is waited for as long as it lives.`,
  ]);
});

test("one that ends while it is silent is an error with its last words", async () => {
  const { envoy, child } = await running(() => {});
  const asking = envoy.admin.stats(/a/);
  setTimeout(() => child.kill("SIGKILL"), 100);
  await expect(asking).rejects.toThrow(
    /^Envoy \(pid \d+\) has ended meanwhile\.\nIts log .* ends with\n {2}its last words$/,
  );
});

test("so is one that takes its connection with it", async () => {
  const { envoy, child } = await running((request) => {
    child.kill("SIGKILL");
    request.socket.destroy();
  });
  await expect(envoy.admin.stats(/a/)).rejects.toThrow(/has ended meanwhile/);
});

test("another process with its pid is not it", async () => {
  const { envoy } = await running(() => {}, { process: `${process.pid}@0` });
  await expect(envoy.admin.stats(/a/)).rejects.toThrow(/has ended meanwhile/);
});

test("one that lives without an admin interface is told", async () => {
  const { envoy } = await running(() => {}, { admin: "http://127.0.0.1:1" });
  await expect(envoy.admin.stats(/a/)).rejects.toThrow(
    /admin interface does not answer at http:\/\/127\.0\.0\.1:1\/stats.*ECONNREFUSED/,
  );
});

test("the person can stop the waiting", async () => {
  const stopping = new AbortController();
  const { envoy } = await running(() => {}, { signal: stopping.signal });
  setTimeout(() => stopping.abort(new UserError("cancelled")), 100);
  await expect(envoy.until("answer", 1000, async () => (await envoy.admin.stats(/a/)).size > 0)).rejects.toThrow(
    "cancelled",
  );
});
