import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec } from "../../lib/exec.ts";
import { ScratchClone } from "./scratch-clone.ts";

const folders = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), ".pulumi", "bin")];
const host = folders.map((folder) => join(folder, "pulumi-language-nodejs")).find(existsSync);
if (!host) console.warn("skipped: `pulumi up` needs the plugin pulumi-language-nodejs (on PATH or in ~/.pulumi/bin)");

/** The other way in: a person's own `pulumi`, on the same program and the same state. */
describe.skipIf(!host)("pulumi up -s local, after npm run init", () => {
  let clone: ScratchClone;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    clone = await ScratchClone.create();
    const { code, stdout, stderr } = await clone.run(["init", "local"]);
    expect(code, stderr).toBe(0);
    const exports = await exec("sh", ["-c", `${stdout}\nenv -0`], { env: clone.env() });
    const lines = exports.stdout.split("\0").filter(Boolean);
    env = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
    env.PATH = `${dirname(host as string)}${delimiter}${env.PATH}`;
  });

  afterAll(() => clone.remove());

  const pulumi = (...args: string[]) =>
    exec("pulumi", [...args, "-s", "local", "--non-interactive"], { cwd: clone.folder, env });

  it("brings up the same stack", async () => {
    const { code, stdout, stderr } = await pulumi("up", "--yes", "--skip-preview");
    expect(code, stdout + stderr).toBe(0);
    expect((await clone.get("/one")).headers["x-custom-header"]).toBe("custom-value");
    expect((await clone.get("/echo")).headers["x-wasm-custom"]).toBe("FOO");
    expect(JSON.parse((await pulumi("stack", "output", "--json")).stdout).gatewayUrl).toBe(
      `http://localhost:${clone.ports.gateway}`,
    );
  });

  it("is the stack that npm start knows: there is nothing to change", async () => {
    expect((await clone.run(["start"])).stdout).toMatch(/Nothing to change/);
    const { stdout } = await pulumi("preview", "--json");
    expect(Object.keys(JSON.parse(stdout).changeSummary)).toEqual(["same"]);
  });

  it("tells of every mistake in the configuration at once, without a stack trace", async () => {
    const good = await clone.read("Pulumi.local.yaml");
    await clone.configure((stack) => {
      stack.setIn(["config", "meshup:mesh"], "isto");
      stack.setIn(["config", "meshup:load"], { capacity: 0 });
    });
    const { code, stdout, stderr } = await pulumi("up", "--yes", "--skip-preview");
    await clone.write("Pulumi.local.yaml", good);
    expect(code).not.toBe(0);
    expect(stdout + stderr).toMatch(/meshup:mesh: [\s\S]*meshup:load\.capacity: /);
    expect(stdout + stderr).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  });

  it("goes away with pulumi destroy", async () => {
    const { code, stdout, stderr } = await pulumi("destroy", "--yes", "--skip-preview");
    expect(code, stdout + stderr).toBe(0);
    await expect(clone.get("/one")).rejects.toThrow(/ECONNREFUSED/);
  });

  it("destroyed, it begins anew in the same shell, once the salt that Pulumi has left in the stack's file has gone", async () => {
    expect((await clone.run(["destroy"], env)).code).toBe(0);
    const refused = await clone.run(["start"], env);
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toMatch(/incorrect passphrase[\s\S]*remove its encryptionsalt line/);
    await clone.edit("Pulumi.local.yaml", (text) => text.replace(/^encryptionsalt: .*\n/m, ""));
    const { code, stderr } = await clone.run(["start"], env);
    expect(code, stderr).toBe(0);
  });
});
