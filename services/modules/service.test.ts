import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { httpRequest } from "../../lib/http.ts";
import { listen, type Server } from "../server.ts";
import { Settings } from "../settings.ts";
import { createModules, readModulesSettings } from "./service.ts";

const name = `${"a1".repeat(32)}.wasm`;
const magic = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
let directory: string;
let server: Server;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "meshup-modules-"));
  await writeFile(join(directory, name), magic);
  await writeFile(join(directory, "secret.txt"), "secret");
  const { routes } = createModules({ directory });
  server = await listen({ routes, host: "127.0.0.1", port: 0, log: () => {} });
});
afterAll(async () => {
  await server.stop(0);
  await rm(directory, { recursive: true });
});

test("a module, byte for byte, by GET and HEAD", async () => {
  const response = await fetch(`${server.url}/${name}`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "application/wasm"]);
  expect(Buffer.from(await response.arrayBuffer())).toEqual(magic);
  const head = await httpRequest({ url: `${server.url}/${name}`, method: "HEAD" });
  expect(head).toMatchObject({ status: 200, headers: { "content-length": "8" }, body: "" });
});

test.each(["secret.txt", `${"0".repeat(64)}.wasm`, "..%2fsecret.txt", `..%2f${name}`, "", `x/${name}`, "plugin.wasm"])(
  "404 for /%s",
  async (path) => {
    const { status, body } = await httpRequest({ url: `${server.url}/${path}` });
    expect(status).toBe(404);
    expect(body).not.toContain(directory);
  },
);

test("settings: the folder, an absolute path", () => {
  expect(readModulesSettings(new Settings({}))).toEqual({ directory: "/modules" });
  const settings = new Settings({ MODULES_DIRECTORY: "modules" });
  readModulesSettings(settings);
  expect(settings.problems).toEqual([expect.stringContaining("MODULES_DIRECTORY")]);
});
