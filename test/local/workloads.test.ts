import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { request } from "node:http";
import { connect, createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ExecResult, exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";
import { TestRegistry } from "../../oci/testing/registry.ts";
import { createCertificate } from "../../services/testing/certificate.ts";
import { freePort } from "../ports.ts";
import { ScratchClone } from "./scratch-clone.ts";

/** A person's own development server, and an https service of somebody's, in place of the demo. */
let clone: ScratchClone;
let port: number;

/** What it is asked, it tells; it has WebSockets, and figures for a filter that polls it. */
const devServer = `
import { createHash } from "node:crypto";
import { createServer } from "node:http";
const { HOST, PORT, TOKEN, GREETING } = process.env;
const figures = "service=default/shop, current-load=1, target-load=1, max-load=2";
const server = createServer(({ url, headers, httpVersion }, response) => {
  if (url === "/figures") return void response.end(figures);
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ url, host: headers.host, httpVersion, greeting: GREETING, token: createHash("sha256").update(TOKEN ?? "").digest("hex") }));
});
server.on("upgrade", ({ url }, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\\r\\nupgrade: websocket\\r\\nconnection: upgrade\\r\\n\\r\\n");
  socket.on("data", (data) => socket.write(url + " " + data));
});
server.listen(Number(PORT), HOST, () => console.log("ready at " + PORT));
`;
/** As no file has it: this one is in the clone, too. */
const secret = ["hunter2", "of", "the", "test"].join("-");
const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");

/** It speaks HTTP/1 and HTTP/2 in TLS. */
const certificate = createCertificate("test", "api.example.com");
const askedFor = new Set<string>();
const api = createSecureServer(
  {
    key: certificate.key,
    cert: certificate.cert,
    allowHTTP1: true,
    SNICallback: (name, take) => {
      askedFor.add(name);
      take(null);
    },
  },
  ({ url, httpVersion, headers }: Http2ServerRequest, response: Http2ServerResponse) => {
    const { host, ":authority": authority = host } = headers;
    response.end(JSON.stringify({ url, authority, httpVersion }));
  },
);
let apiPort: number;

/** Somebody's registry with a module of theirs: it asks for a password. */
let registry: TestRegistry;
let rust: string;

beforeAll(async () => {
  api.listen(0, "127.0.0.1");
  await once(api, "listening");
  apiPort = (api.address() as AddressInfo).port;
  registry = await TestRegistry.start();
  registry.guard = "bearer";
  registry.password = { username: "me", password: secret };
  const module = readFileSync(join(root, "test/fixtures/header-in-rust/header-in-rust.wasm"));
  rust = `oci://${registry.host}/me/filter@${registry.compat(module, "v1")}`;
  port = await freePort();
  clone = await ScratchClone.create();
  mkdirSync(join(clone.folder, "site"));
  await clone.write("site/server.mjs", devServer);
  await clone.write("site/ca.pem", certificate.cert);
  await clone.write("site/package.json", JSON.stringify({ type: "module", scripts: { dev: "node server.mjs" } }));
});

afterAll(async () => {
  await clone.remove();
  api.close();
  await registry.stop();
});

/** `pulumi config set --secret`, as a person does. */
async function setSecret(key: string, value: string): Promise<void> {
  const { stdout } = await clone.run(["init", "local"]);
  const set = `${stdout}\npulumi config set -s local --secret meshup:${key} "$0"`;
  const { code, stderr } = await exec("sh", ["-c", set, value], { cwd: clone.folder, env: clone.env() });
  expect(code, stderr).toBe(0);
}

/** What the README has a person write, but for the folder and the ports. */
async function readmeStack(): Promise<string> {
  const [, section = ""] = (await clone.read("README.md")).split("\n## Your own workload\n");
  const [, text = ""] = /```yaml\n(.*?)```/s.exec(section) ?? [];
  expect(text.trim().split("\n").length).toBeLessThanOrEqual(10);
  return text.replace("directory: ../shop, port: 3000", `directory: site, port: ${port}`);
}

it("the README's ten lines: a development server behind Envoy, with a filter on it", async () => {
  await clone.write("Pulumi.local.yaml", await readmeStack());
  await clone.configure((stack) => stack.setIn(["config", "meshup:ports"], clone.ports));
  const { code, stdout, stderr } = await clone.run(["start"]);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain(`GET http://localhost:${clone.ports.gateway}/ → 200  x-mine: yes`);
  expect(Object.keys(await clone.processes()).sort()).toEqual(["envoy", "shop"]);
});

it("come up with their filters, which call them by name", async () => {
  await setSecret("token", secret);
  await setSecret("registryPassword", secret);
  await clone.configure((stack) => {
    stack.setIn(["config", "meshup:registry"], { address: registry.host, username: "me" });
    const own = ["config", "meshup:workloads"];
    stack.setIn([...own, "shop", "env"], { TOKEN: { secret: "token" }, GREETING: "hello" });
    const https = { url: `https://127.0.0.1:${apiPort}/v1`, ca: "site/ca.pem" };
    stack.setIn([...own, "api"], { ...https, sni: "api.example.com", host: "api.example.com" });
    stack.addIn(["config", "meshup:routes"], { name: "api", path: "/api", workload: "api" });
    const module = "./filter";
    for (const filter of [
      { name: "on-api", module, root: "add_header_root", config: { "x-on": "api" }, target: { route: "api" } },
      {
        name: "calls-shop",
        module,
        root: "load_feedback_root",
        config: { cluster: "shop", path: "/figures", interval_ms: 100 },
        target: { workload: "api" },
        expect: { "x-load-feedback": "/default\\/shop/" },
      },
      { name: "pulled", module: rust, target: { route: "api" } },
    ])
      stack.addIn(["config", "meshup:filters"], filter);
  });
  const { code, stdout, stderr } = await clone.run(["start"]);
  expect(code, stdout + stderr).toBe(0);
  const at = `http://localhost:${clone.ports.gateway}`;
  expect(stdout).toContain(`GET ${at}/ → 200  x-mine: yes`);
  expect(stdout).toContain(`GET ${at}/api → 200  x-on: api`);
  expect(stdout).toContain("x-load-feedback: service=default/shop");
  expect(stdout).toMatch(/ok {6}pulled {2}.* x-from-rust: yes/);
});

it("are there again with nothing to change, and nothing is pulled a second time", async () => {
  const before = await clone.processes();
  expect((await clone.run(["start"])).stdout).toMatch(/Nothing to change/);
  expect(await clone.processes()).toEqual(before);
  expect(registry.requests.filter(({ path }) => path.includes("/blobs/"))).toHaveLength(1);
});

it("a command has its environment, and gets requests as they are", async () => {
  const { body, headers } = await clone.get("/some/where?a=1");
  expect(headers["x-mine"]).toBe("yes");
  expect(JSON.parse(body)).toEqual({
    url: "/some/where?a=1",
    host: "localhost",
    httpVersion: "1.1",
    greeting: "hello",
    token: hashOf(secret),
  });
});

it("an https URL gets its own Host, name in TLS and path", async () => {
  const { body, headers } = await clone.get("/api/users?a=1");
  expect(headers["x-on"]).toBe("api");
  expect(JSON.parse(body)).toEqual({ url: "/v1/users?a=1", authority: "api.example.com", httpVersion: "1.1" });
  expect([...askedFor]).toEqual(["api.example.com"]);
});

it("HTTP/2 passes to what speaks it, and is HTTP/1 for what does not", async () => {
  const session = connect(`http://127.0.0.1:${clone.ports.gateway}`);
  const get = async (path: string) => {
    const stream = session.request({ ":path": path });
    let body = "";
    for await (const chunk of stream) body += chunk;
    return JSON.parse(body);
  };
  expect((await get("/api/users")).httpVersion).toBe("2.0");
  expect((await get("/")).httpVersion).toBe("1.1");
  session.close();
});

it("a WebSocket passes", async () => {
  const headers = { connection: "upgrade", upgrade: "websocket" };
  const upgrading = request(`http://127.0.0.1:${clone.ports.gateway}/live`, { headers }).end();
  const [response, socket] = await once(upgrading, "upgrade");
  expect(response.headers["x-mine"]).toBe("yes");
  socket.write("hello");
  expect(String((await once(socket, "data"))[0])).toBe("/live hello");
  socket.destroy();
});

describe("a secret", () => {
  it("is in no file of the clone, in plain text, and in no argument of a process", async () => {
    const plain = readdirSync(clone.folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(clone.folder, name))
      .filter((path) => !path.includes("node_modules") && statSync(path, { throwIfNoEntry: false })?.isFile())
      .filter((path) => readFileSync(path, "latin1").includes(secret))
      .map((path) => path.slice(clone.folder.length + 1));
    expect(plain).toEqual([]);
    const { shop } = await clone.processes();
    expect(readFileSync(`/proc/${shop?.pid}/cmdline`, "latin1")).not.toContain(secret);
    const { stdout } = await clone.run(["status", "--json"]);
    expect(stdout).not.toContain(secret);
  });

  it("that is changed reaches the command", async () => {
    const before = await clone.processes();
    await setSecret("token", "another");
    await clone.json(["start"]);
    expect(JSON.parse((await clone.get("/")).body).token).toBe(hashOf("another"));
    expect((await clone.processes()).shop?.pid).not.toBe(before.shop?.pid);
  });
});

it("logs, status, doctor and config-dump know them by name", async () => {
  expect((await clone.run(["logs", "local", "shop"])).stdout).toContain(`ready at ${port}`);
  expect((await clone.run(["status"])).stdout).toMatch(new RegExp(`shop\\s+alive\\s+pid \\d+\\s+port ${port}`));
  expect((await clone.run(["status"])).stdout).toMatch(new RegExp(`api\\s+answers\\s+https://127.0.0.1:${apiPort}/v1`));
  expect((await clone.run(["doctor"])).stdout).toMatch(/ok\s+shop[\s\S]*ok\s+api[\s\S]*Nothing is broken/);
  const { stdout } = await clone.run(["config-dump", "local", "shop"]);
  expect(stdout).toContain("# mine, ");
  expect(stdout).not.toContain("# on-api, ");
});

describe("what cannot be is told before anything is made", () => {
  const failure = async (change: (stack: Parameters<Parameters<ScratchClone["configure"]>[0]>[0]) => void) => {
    const before = await clone.processes();
    const stackFile = await clone.read("Pulumi.local.yaml");
    await clone.configure(change);
    const { code, stdout, stderr }: ExecResult = await clone.run(["start"]);
    await clone.write("Pulumi.local.yaml", stackFile);
    expect(code).toBe(1);
    expect(await clone.processes()).toEqual(before);
    return stdout + stderr;
  };

  it("all at once: a program, a folder, a port, an address, a certificate", async () => {
    const own = ["config", "meshup:workloads"];
    const text = await failure((stack) => {
      stack.setIn([...own, "shop", "command"], ["nodee"]);
      stack.setIn([...own, "lost"], { command: ["node"], port: 20_000, directory: "nowhere" });
      stack.setIn([...own, "taken"], { command: ["node"], port: apiPort });
      stack.setIn([...own, "gone"], { url: "http://localhost:9" });
      stack.deleteIn([...own, "api", "ca"]);
    });
    expect(text).toMatch(/meshup:workloads\.shop\.command: there is no program nodee on PATH/);
    expect(text).toMatch(/meshup:workloads\.lost\.directory: nowhere: there is no such folder/);
    expect(text).toMatch(new RegExp(`port ${apiPort} is in use .*meshup:workloads\\.taken\\.port`));
    expect(text).toMatch(/meshup:workloads\.gone\.url: nobody answers at http:\/\/localhost:9/);
    expect(text).toMatch(/meshup:workloads\.api\.url: .* is not trusted by this system's authorities/);
    expect(text).not.toMatch(/failed: |^\s+at /m);
  });

  it("modules that cannot be had, each by its key; of a tag the digest that it has now", async () => {
    const [name = "", digest = ""] = rust.split("@");
    const absent = `sha256:${"0".repeat(64)}`;
    const text = await failure((stack) => {
      stack.setIn(["config", "meshup:filters", 0, "module"], `${name}:v1`);
      stack.setIn(["config", "meshup:filters", 3, "module"], `${name}@${absent}`);
    });
    expect(text).toContain(`meshup:filters[0].module: ${name}:v1: what a tag names may change`);
    expect(text).toContain(`: write ${name}@${digest}, which v1 is now`);
    expect(text).toContain(
      `meshup:filters[3].module: ${name}@${absent}: ${registry.host} has no ${absent} in me/filter`,
    );
    expect(text).not.toMatch(/failed: |^\s+at /m);
    const without = await failure((stack) => {
      stack.deleteIn(["config", "meshup:registry"]);
      stack.deleteIn(["config", "meshup:registryPassword"]);
      stack.setIn(["config", "meshup:filters", 3, "module"], `${name}@${absent}`);
    });
    expect(without).toMatch(
      /meshup:filters\[3\]\.module: .* does not give it to everybody \(401\): set meshup:registry/,
    );
  });

  it("a secret that is not set, by its key; a callout to nobody, by its name", async () => {
    expect(
      await failure((stack) => stack.setIn(["config", "meshup:workloads", "shop", "env", "X"], { secret: "nope" })),
    ).toMatch(
      /meshup:workloads\.shop\.env\.X\.secret: meshup:nope is not set: `pulumi config set --secret meshup:nope`/,
    );
    expect(await failure((stack) => stack.setIn(["config", "meshup:filters", 2, "config", "cluster"], "wob"))).toMatch(
      /filter "calls-shop": it calls the cluster "wob", which the proxy does not know; it knows api, shop/,
    );
  });
});

it("a command that ends at once gives its last words, and the one before goes on", async () => {
  const stackFile = await clone.read("Pulumi.local.yaml");
  await clone.write("site/server.mjs", 'console.error("no database"); process.exit(3);');
  await clone.configure((stack) => stack.setIn(["config", "meshup:workloads", "shop", "env", "GREETING"], "bye"));
  const { code, stdout, stderr } = await clone.run(["start"]);
  expect(code).toBe(1);
  expect(stdout + stderr).toMatch(/shop exited with code 3 before it was ready[\s\S]*no database/);
  await clone.write("site/server.mjs", devServer);
  await clone.write("Pulumi.local.yaml", stackFile);
  await clone.json(["start"]);
  expect(JSON.parse((await clone.get("/")).body).greeting).toBe("hello");
});
