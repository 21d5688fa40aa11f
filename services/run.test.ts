import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, type TestContext, test, vi } from "vitest";
import { httpRequest } from "../lib/http.ts";
import { root } from "../lib/paths.ts";

/** Waits until `check` no longer fails. */
const eventually = <T>(check: () => Promise<T> | T) => vi.waitFor(check, { timeout: 20_000, interval: 10 });

interface LogLine {
  level: string;
  service: string;
  message: string;
  url?: string;
  requestsCutOff?: number;
}

/** Starts a service as the stack does; the test's end ends it. */
function start({ onTestFinished }: TestContext, program: string, env: Record<string, string>) {
  const child = spawn(process.execPath, ["--import", "tsx", join("services", program)], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL")); // does nothing to one that has ended
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (chunk) => {
    output += chunk;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on("close", (code, signal) => resolve({ code, signal })),
  );
  const lines = (): LogLine[] =>
    output
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  const logged = (message: string) =>
    eventually(() => {
      const line = lines().find((one) => one.message.startsWith(message));
      if (!line) throw new Error(`${program} did not log "${message}": ${output}${errors}`);
      return line;
    });
  return { child, ended, lines, logged, errors: () => errors, url: async () => (await logged("listening")).url ?? "" };
}

async function metric(url: string, name: string): Promise<number> {
  const { body } = await httpRequest({ url: `${url}/metrics` });
  return Number(new RegExp(`^${name} (.+)$`, "m").exec(body)?.[1]);
}

describe.concurrent("a service's process", () => {
  test("SIGTERM: the open request is answered, then it exits with 0", async (context) => {
    const echo = start(context, "echo.ts", { PORT: "0" });
    const url = await echo.url();
    const response = httpRequest({ url: `${url}/?delay=1000` });
    await eventually(async () => expect(await metric(url, "echo_requests_in_flight")).toBe(1));
    echo.child.kill("SIGTERM");
    expect((await response).status).toBe(200);
    expect(await echo.ended).toEqual({ code: 0, signal: null });
    expect(echo.lines().map(({ level, message }) => [level, message])).toEqual([
      ["info", `listening on ${url}`],
      ["info", "stopping after SIGTERM"],
      ["info", "stopped"],
    ]);
    expect(echo.errors()).toBe("");
  });

  test("SIGTERM: a request that outlasts the grace period is cut off, and it still exits with 0", async (context) => {
    const echo = start(context, "echo.ts", { PORT: "0", GRACE_MS: "50" });
    const url = await echo.url();
    const response = httpRequest({ url: `${url}/?delay=60000` }).catch((error) => error.code);
    await eventually(async () => expect(await metric(url, "echo_requests_in_flight")).toBe(1));
    echo.child.kill("SIGTERM");
    expect(await response).toBe("ECONNRESET");
    expect(await echo.ended).toEqual({ code: 0, signal: null });
    expect(echo.lines().at(-1)).toMatchObject({ level: "warn", message: "stopped", requestsCutOff: 1 });
  });

  test("a second signal cuts a long grace period short", async (context) => {
    const echo = start(context, "echo.ts", { PORT: "0", GRACE_MS: "600000" });
    const url = await echo.url();
    const response = httpRequest({ url: `${url}/?delay=60000` }).catch((error) => error.code);
    await eventually(async () => expect(await metric(url, "echo_requests_in_flight")).toBe(1));
    echo.child.kill("SIGINT");
    await echo.logged("stopping after SIGINT");
    echo.child.kill("SIGINT");
    expect(await response).toBe("ECONNRESET");
    expect(await echo.ended).toEqual({ code: 0, signal: null });
  });

  test("a port in use: exit code 1 and one line that says so", async (context) => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    context.onTestFinished(() => void other.close());
    const { port } = other.address() as { port: number };
    const echo = start(context, "echo.ts", { PORT: String(port) });
    expect(await echo.ended).toEqual({ code: 1, signal: null });
    expect(echo.lines()).toEqual([
      {
        time: expect.any(String),
        level: "error",
        service: "echo",
        message: `port ${port} on 127.0.0.1 is in use by another process: stop that one, or set PORT`,
      },
    ]);
    expect(echo.errors()).toBe("");
  });

  test("wrong settings: exit code 1 and one line with every one of them", async (context) => {
    const load = start(context, "bursting-metrics.ts", {
      PORT: "http",
      HOST: "a b",
      LOG_LEVEL: "loud",
      GRACE_MS: "-1",
      LOAD_SERVICES: '[{"service":"echo"}]',
    });
    expect(await load.ended).toEqual({ code: 1, signal: null });
    expect(load.lines()).toHaveLength(1);
    const { message } = load.lines()[0] as LogLine;
    for (const name of ["PORT", "HOST", "LOG_LEVEL", "GRACE_MS", "LOAD_SERVICES[0].service", "LOAD_SERVICES[0].url"])
      expect(message).toContain(`${name}: `);
    expect(load.errors()).toBe("");
  });

  test("bursting-metrics beside echo: figures, requests only in the debug log, exit 0", async (context) => {
    const echo = start(context, "echo.ts", { PORT: "0", LOG_LEVEL: "debug" });
    const service = { service: "default/echo", url: `${await echo.url()}/metrics`, periodMs: 50 };
    const load = start(context, "bursting-metrics.ts", { PORT: "0", LOAD_SERVICES: JSON.stringify([service]) });
    const url = await load.url();
    await eventually(async () => expect((await httpRequest({ url: `${url}/readyz` })).status).toBe(200));
    const { body } = await httpRequest({ url: `${url}/load/default/echo` });
    expect(body).toBe("service=default/echo, current-load=1, target-load=1, max-load=2");
    await echo.logged("request");

    echo.child.kill("SIGTERM");
    await echo.ended;
    await load.logged("no figures for default/echo");
    expect(await httpRequest({ url: `${url}/load/default/echo` })).toMatchObject({ status: 503 });
    load.child.kill("SIGTERM");
    expect(await load.ended).toEqual({ code: 0, signal: null });
    expect(load.lines().filter(({ message }) => message === "request")).toEqual([]);
  });
});
