import { once } from "node:events";
import { createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type ExecResult, exec } from "../../lib/exec.ts";
import { compileUsual, type UsualFilter } from "../usual-filters.ts";
import { ScratchClone } from "./scratch-clone.ts";

/** What shows filters of the kinds that people write, and what is told where nothing would. One stack, in this order. */
let clone: ScratchClone;

interface Shown {
  outputs: { filters: { name: string; digest: string; request: unknown; expect: unknown }[] };
  proofs: { filter: string; ok: boolean; status?: number; seen: Record<string, string>; shown?: boolean }[];
}

const long = "v".repeat(20_000);
const routes = { one: "httpbin", two: "httpbin-two", echo: "echo", anything: "httpbin" };

async function usual(name: UsualFilter, route: string, more: object = {}) {
  const { file } = await compileUsual(join(clone.folder, "build"), name);
  return { name, module: file, target: { route }, ...more };
}

const header = (name: string, config: object, more: object = {}) => ({
  name,
  module: "./filter",
  root: "add_header_root",
  config,
  target: { route: "one" },
  ...more,
});

const declare = (filters: object[]) => clone.configure((stack) => stack.setIn(["config", "meshup:filters"], filters));

async function filtersOfPeople(): Promise<Record<string, object>> {
  const request = { method: "POST", path: "/anything?x=1", headers: { "x-mine": "żółw" }, body: "text" };
  const all = await Promise.all([
    usual("request-id", "one"),
    usual("api-key", "two"),
    usual("request-header", "echo", { expect: { body: '/"x-user": ?"alice"/' } }),
    usual("body-rewrite", "anything", { expect: { body: "rewritten" } }),
    usual("header-remover", "one", { request: { path: "/html" }, expect: { "content-type": false } }),
    usual("echo-of-request", "echo", { request }),
    usual("nothing", "one", { request: false }),
    usual("counter", "one", { name: "any-answer", expect: {} }),
    header("named", { "x-name": "Grüße", "x-long": long, server: "mine" }),
  ]);
  return Object.fromEntries(all.map((filter) => [filter.name, filter]));
}

beforeAll(async () => {
  clone = await ScratchClone.create();
  const declared = Object.entries(routes).map(([name, workload]) => ({ name, path: `/${name}`, workload }));
  await clone.configure((stack) => stack.setIn(["config", "meshup:routes"], declared));
  await declare(Object.values(await filtersOfPeople()));
});

afterAll(() => clone.remove());

describe("filters as people write them", () => {
  it("are proved by what each of them does", async () => {
    const { code, stdout, stderr } = await clone.run(["start"]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    const at = `http://localhost:${clone.ports.gateway}`;
    const line = (mark: string, name: string, text: string) =>
      expect(stdout).toMatch(new RegExp(`^ {2}${mark} +${name} +${text}$`, "m"));
    line("ok", "request-id", `GET ${at}/one → 200 {2}x-request-id: [0-9a-f-]{36}`);
    line("ok", "api-key", `GET ${at}/two → 401`);
    line("ok", "request-header", `GET ${at}/echo → 200 {2}the body matches .*alice.*`);
    line("ok", "body-rewrite", `GET ${at}/anything → 200 {2}the body is rewritten`);
    line("ok", "header-remover", `GET ${at}/one/html → 200 {2}no content-type`);
    line("ok", "echo-of-request", `POST ${at}/echo/anything\\?x=1 → 200 {2}x-saw: POST /echo/anything\\?x=1 żółw`);
    line("ok", "named", `GET ${at}/one → 200 {2}server: mine {2}x-long: v{20000} {2}x-name: Grüße`); // sorted by Pulumi
    line("-", "nothing", "running, not shown");
    line("-", "any-answer", `GET ${at}/one → 200 {2}answered; nothing shows that it runs`);
  });

  it("by verify, too, and the outputs tell by what", async () => {
    const { outputs, proofs } = await clone.json<Shown>(["verify"]);
    expect(proofs.every(({ ok }) => ok)).toBe(true);
    expect(proofs.filter(({ shown }) => shown === false).map(({ filter }) => filter)).toEqual([
      "nothing",
      "any-answer",
    ]);
    const of = (name: string) => outputs.filters.find((filter) => filter.name === name);
    expect(of("request-id")).toMatchObject({ request: { method: "GET" }, expect: { "x-request-id": true } });
    expect(of("api-key")).toMatchObject({ expect: { status: 401 } });
    expect(of("nothing")).toMatchObject({ request: false, expect: {} });
    expect(of("echo-of-request")).toMatchObject({ request: { method: "POST", path: "/anything?x=1", body: "text" } });
  });

  it("and doctor has nothing to say", async () => {
    const { code, stdout } = await clone.run(["doctor"]);
    expect(stdout).toMatch(/ok {6}request for api-key/);
    expect(stdout).toMatch(/- {7}request for nothing {2,}running, not shown/);
    expect(stdout).toMatch(/ok {6}localhost/);
    expect(code).toBe(0);
  });

  it("a request's large headers reach the workloads", async () => {
    const cookie = `c=${long}`;
    const echoed = JSON.parse((await clone.get("/echo", { cookie })).body);
    expect(echoed.headers.cookie).toBe(cookie);
    const anything = await clone.get("/one/cookies", { cookie });
    expect(JSON.parse(anything.body).cookies.c).toBe(long);
  });

  it("start has nothing to do", async () => {
    expect((await clone.run(["start"])).stdout).toContain("Nothing to change");
  });
});

describe("filters that nothing would show", () => {
  /** Nothing shows two of them, and the workload answers as two others would have it. */
  async function declareUnprovable(): Promise<void> {
    const { "any-answer": _, named, ...rest } = await filtersOfPeople();
    await declare([
      ...Object.values({ ...rest, "request-header": await usual("request-header", "echo") }),
      { ...named, config: { "x-name": "changed" } },
      await usual("nothing", "echo", { name: "mute" }),
      header(
        "already",
        { "content-type": "application/json" },
        { target: { route: "anything" }, request: { path: "/json" } },
      ),
      await usual("counter", "echo", { name: "met", expect: { "content-type": "/json/" } }),
    ]);
  }

  it("are told of together, before Envoy has them; the others are changed and removed", async () => {
    const before = await clone.json<Shown>(["verify"]);
    await declareUnprovable();
    const { code, stdout, stderr } = await clone.run(["start"]);
    expect(code).toBe(1);
    const said = stderr.slice(stderr.lastIndexOf("\n  failed"));
    expect(said).toMatch(/"request-header": nothing would show.*GET \/ of echo; it changes the request: x-user/);
    expect(said).toMatch(/"mute": nothing would show/);
    expect(said).toMatch(/"already": what it does in the host[\s\S]*?\n {2}content-type: application\/json/);
    expect(said).toMatch(/"met": its `expect` would not show[\s\S]*?\n {2}content-type: application\/json/);
    expect(stdout + stderr).not.toMatch(/did not prove itself|^\s+at |defect of meshup/m);

    const { headers } = await clone.get("/one");
    expect(headers).toMatchObject({ "x-name": "changed", "x-request-id": expect.any(String) });
    expect(headers).not.toHaveProperty("x-count");
    expect((await clone.get("/echo")).headers).not.toHaveProperty("x-count");
    expect(JSON.parse((await clone.get("/echo")).body).headers["x-user"]).toBe("alice");
    const { stdout: dump } = await clone.run(["config-dump", "local", "--json"]);
    const names = (JSON.parse(dump) as { name: string }[]).map(({ name }) => name);
    expect(names).toContain("request-header");
    for (const unknown of ["mute", "already", "met"]) expect(names).not.toContain(unknown);
    expect(before.outputs.filters).toHaveLength(9);
  });

  it("are told of by each start, and stop no removal", async () => {
    const { code, stderr } = await clone.run(["remove", "api-key"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/"mute": nothing would show/);
    expect((await clone.get("/two")).status).toBe(200);
    expect(await clone.read("Pulumi.local.yaml")).not.toContain("api-key");
  });

  it("are attached once something does", async () => {
    const { "any-answer": _, "api-key": __, ...rest } = await filtersOfPeople();
    await declare([
      ...Object.values(rest),
      await usual("nothing", "echo", { name: "mute", request: false }),
      await usual("counter", "echo", { name: "met", expect: { "content-type": "/json/", "x-count": true } }),
    ]);
    const { proofs } = await clone.json<Shown>(["start"]);
    expect(proofs.filter(({ ok }) => ok)).toHaveLength(proofs.length);
    expect((await clone.get("/echo")).headers).toHaveProperty("x-count");
  });
});

describe("headers that belong to the connection", () => {
  it("are refused by name, and Envoy goes on as it was", async () => {
    const before = await clone.read("Pulumi.local.yaml");
    await clone.configure((stack) => {
      const broken = header("broken", { "Content-Length": "5", upgrade: "h2c" });
      stack.addIn(["config", "meshup:filters"], broken);
    });
    const { code, stderr } = await clone.run(["start"]);
    await clone.write("Pulumi.local.yaml", before);
    expect(code).toBe(1);
    expect(stderr).toMatch(/"broken"[\s\S]*"Content-Length": it belongs to the connection; "upgrade": it belongs/);
    expect((await clone.get("/one")).headers["x-name"]).toBe("Grüße");
  });
});

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1"));

describe("localhost", () => {
  it.skipIf(!hasIpv6)("may be another program's, too: that is said, and ours is asked", async () => {
    await listenOnIpv6();
    const { code, stdout, stderr } = await clone.run(["verify"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/ok +named/);
    expect(stderr).toMatch(new RegExp(`port ${clone.ports.gateway} on ::1[\\s\\S]*\\(pid ${process.pid}\\)`));
    expect((await clone.run(["doctor"])).stdout).toMatch(/BROKEN +localhost/);
  });

  it.each([
    ["::1 alone", "::1 localhost\n"],
    ["nothing", "127.0.0.1 somewhere-else\n"],
  ])("may be %s to this machine", async (_what, hosts) => {
    const result = await withHosts(hosts, ["verify"]);
    if (/unshare: |mount: /.test(result.stderr)) return console.warn("skipped: no mount namespace can be had here");
    expect(result, result.stderr).toMatchObject({ code: 0, stdout: expect.stringMatching(/ok +named/) });
  });

  it.skipIf(!hasIpv6)("nothing starts where another program has its port on ::1", async () => {
    await clone.run(["destroy"]);
    await listenOnIpv6();
    const { code, stderr } = await clone.run(["start"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      new RegExp(`port ${clone.ports.gateway} on ::1[\\s\\S]*\\(pid ${process.pid}\\)[\\s\\S]*meshup:ports\\.gateway`),
    );
  });
});

async function listenOnIpv6(): Promise<void> {
  const server = createServer().listen(clone.ports.gateway, "::1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
}

/** Runs a command where /etc/hosts, and nothing else, says what names mean. */
async function withHosts(hosts: string, args: string[]): Promise<ExecResult> {
  const script = 'printf "%s" "$HOSTS" > "$FILE" && mount --bind "$FILE" /etc/hosts && exec "$@"';
  const file = join(clone.folder, ".hosts");
  const command = ["-rm", "sh", "-c", script, "sh", process.execPath, ...clone.command(args)];
  return exec("unshare", command, { cwd: clone.folder, env: clone.env({ HOSTS: hosts, FILE: file }) });
}
