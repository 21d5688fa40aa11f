import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exec } from "../../lib/exec.ts";
import { ScratchClone } from "./scratch-clone.ts";

/** Configurations that are large, odd or secret, through the real engine and the real Envoy. */
let clone: ScratchClone;
let stackFile: string;
/** Whether `.meshup` is on a disk of its own, which can be filled; only root may make one. */
let ownDisk: boolean;

const rust = { module: "./test/fixtures/header-in-rust/header-in-rust.wasm", expect: { "x-from-rust": "yes" } };
const secret = `hush-"ä'-4f6b1c`;
const token = "whole-token-93ab";
const second = "hush-second-77d0";

beforeAll(async () => {
  clone = await ScratchClone.create();
  stackFile = await clone.read("Pulumi.local.yaml");
  const state = join(clone.folder, ".meshup");
  mkdirSync(state);
  const mounted = await exec("mount", ["-t", "tmpfs", "-o", "size=200m", "tmpfs", state]).catch(() => undefined);
  ownDisk = mounted?.code === 0;
  if (!ownDisk) console.warn("skipped: a full disk is tried on one of the test's own, which only root may mount");
});

afterAll(async () => {
  await clone.run(["destroy"]);
  if (ownDisk) await exec("umount", [join(clone.folder, ".meshup")]);
  await clone.remove();
});

const declare = (filters: object[]) => clone.configure((stack) => stack.setIn(["config", "meshup:filters"], filters));

/** Every file below a folder, with what is in it. */
function* files(folder: string): Generator<{ path: string; text: string; mode: number }> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else if (entry.isFile()) yield { path, text: readFileSync(path, "utf8"), mode: statSync(path).mode & 0o777 };
  }
}

describe("a configuration of any size", () => {
  it("comes up: one of 200,000 bytes, and two more that add up", async () => {
    const big = (size: number) => ({
      text: "0123456789".repeat(size / 10),
      date: "2024-01-01",
      id: "251985589757358482",
    });
    await declare([
      { name: "big", ...rust, config: big(200_000), target: { route: "one" } },
      { name: "text", ...rust, config: `${" ".repeat(100_000)}{"id": 251985589757358482}`, target: { route: "two" } },
      { name: "third", ...rust, config: big(100_000), target: { route: "echo" } },
    ]);
    const { code, stdout, stderr } = await clone.run(["start"]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/GET \S+\/one → 200 {2}x-from-rust: yes/);

    const dump = await clone.json<{ name: string; typedConfig: { config: { configuration: { value: string } } } }[]>([
      "config-dump",
    ]);
    const configuration = (name: string) =>
      dump.find((one) => one.name === name)?.typedConfig.config.configuration.value;
    const { text, ...others } = JSON.parse(configuration("big") ?? "{}");
    expect(others).toEqual({ date: "2024-01-01", id: "251985589757358482" });
    expect(text === big(200_000).text).toBe(true);
    expect(configuration("text")?.replace(/^ {100000}/, "100,000 spaces and ")).toBe(
      '100,000 spaces and {"id": 251985589757358482}',
    );
  });

  it("of numbers that would not come as they are written it is said, each by its key, before anything is changed", async () => {
    const good = await clone.read("Pulumi.local.yaml");
    await clone.edit("Pulumi.local.yaml", (text) =>
      text.replace(/date: 2024-01-01/, "date: .inf").replace(/id: "251985589757358482"/, "id: 251985589757358482"),
    );
    const { code, stdout, stderr } = await clone.run(["start"]);
    await clone.write("Pulumi.local.yaml", good);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/meshup:filters\[0\]\.config\.date: \.inf is no number[^\n]*quote it/);
    expect(stdout + stderr).toMatch(
      /meshup:filters\[0\]\.config\.id: 251985589757358482 has more digits[^\n]*quote it/,
    );
    expect(stdout + stderr).not.toMatch(/^\s+at /m);
  });

  it("init tells that it is too large for Pulumi's own way, by key and size", async () => {
    const { code, stderr } = await clone.run(["init"]);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /is too large for `pulumi up`.*131,071 bytes are the most\. The largest: meshup:filters \(\d{3},\d{3} bytes\)/,
    );
  });

  it("can be taken down, whatever the stack's file has become", async () => {
    await clone.write("Pulumi.local.yaml", `config: {\n  meshup:filters: ${"x".repeat(300_000)}\n`);
    const { code, stdout, stderr } = await clone.run(["destroy"]);
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/Pulumi\.local\.yaml is not YAML[\s\S]*not needed to take the stack down/);
    expect(stdout).toMatch(/Stack local is down: \d+ resources deleted/);
    await clone.write("Pulumi.local.yaml", stackFile);
  });
});

describe("a secret", () => {
  let env: NodeJS.ProcessEnv;
  const pulumi = async (...args: string[]) => {
    const { code, stdout, stderr } = await exec("pulumi", [...args, "-s", "local", "--non-interactive"], {
      cwd: clone.folder,
      env,
    });
    expect(code, stdout + stderr).toBe(0);
  };
  const shown = async (args: string[]) => {
    const { code, stdout, stderr } = await clone.run(args);
    expect(code, stderr).toBe(0);
    for (const one of [secret, JSON.stringify(secret).slice(1, -1), token, second])
      expect(stdout + stderr).not.toContain(one);
    return stdout;
  };

  beforeAll(async () => {
    const { stdout } = await clone.run(["init", "local"]);
    const exports = await exec("sh", ["-c", `${stdout}\nenv -0`], { env: clone.env() });
    env = Object.fromEntries(
      exports.stdout
        .split("\0")
        .flatMap((line) => (line ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]] : [])),
    );
    await declare([
      {
        name: "keyed",
        module: "./filter",
        root: "add_header_root",
        config: { "x-open": "open" },
        target: { route: "one" },
      },
      { name: "whole", ...rust, target: { route: "echo" } },
    ]);
    await pulumi("config", "set", "--secret", "--path", "meshup:filters[0].config.x-key", secret);
    await pulumi("config", "set", "--secret", "--path", "meshup:filters[1].config", token);
  });

  it("is served, and shown nowhere", async () => {
    const stdout = await shown(["start"]);
    expect(stdout).toMatch(/ok {6}keyed {2}GET \S+\/one → 200 {2}.*x-key: \[secret\]/);
    expect((await clone.get("/one")).headers["x-key"]).toBe(secret);
    for (const args of [["verify", "--json"], ["doctor"], ["status", "--json"], ["logs", "--lines", "1000"]])
      await shown(args);
    const dump = await shown(["config-dump", "keyed"]);
    expect(dump).toContain("[secret]");
    expect(dump).toContain("x-open");
  });

  it("names, digests and addresses stay readable", async () => {
    const { outputs } = await clone.json<{ outputs: { filters: Record<string, unknown>[] } }>(["status"]);
    expect(outputs.filters[0]).toMatchObject({
      name: "keyed",
      url: expect.stringContaining("/one"),
    });
    expect(JSON.stringify(outputs.filters[0]?.expect)).toContain("[secret]");
    expect(outputs.filters[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is in no file but those that Envoy reads, which are nobody else's to read", () => {
    const escaped = JSON.stringify(JSON.stringify(secret).slice(1, -1)).slice(1, -1);
    const having = [...files(join(clone.folder, ".meshup"))].filter(({ text }) =>
      [secret, JSON.stringify(secret).slice(1, -1), escaped, token].some((one) => text.includes(one)),
    );
    const stack = join(clone.folder, ".meshup/stacks/local/envoy/filters");
    expect(having.map(({ path }) => path)).toEqual([
      join(stack, "keyed/config.json"),
      join(stack, "whole/config.json"),
    ]);
    for (const { path, mode } of having) {
      expect(mode).toBe(0o600);
      expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
    }
  });

  it("that is another is told by no error either: not the new one, not the old one", async () => {
    const good = await clone.read("Pulumi.local.yaml");
    await clone.configure((stack) => stack.setIn(["config", "meshup:filters", 0, "config", "x-bad\n"], "v"));
    const { code, stdout, stderr } = await clone.run(["start"]);
    await clone.write("Pulumi.local.yaml", good);
    expect(code).toBe(1);
    expect(stdout + stderr).not.toContain("hush");
  });

  it("that becomes another in an update that fails half-way is not shown, and the earlier one is not either", async () => {
    const [good, key] = [await clone.read("Pulumi.local.yaml"), "meshup:filters[0].config.x-key"];
    await pulumi("config", "set", "--secret", "--path", key, second);
    await pulumi("config", "rm", "--path", "meshup:filters[1].expect.x-from-rust");
    await pulumi("config", "set", "--path", "meshup:filters[1].expect.content-type", "true"); // is there without it, too
    const { code, stdout, stderr } = await clone.run(["start"]);
    expect(code, stdout + stderr).toBe(1);
    expect(stdout + stderr).not.toContain("hush");
    await clone.write("Pulumi.local.yaml", good);
    expect((await clone.get("/one")).headers["x-key"]).toBe(second);
    appendFileSync(join(clone.folder, ".meshup/stacks/local/echo.log"), `before ${secret}, now ${second}\n`);
    expect(await shown(["config-dump", "keyed"])).toContain("[secret]");
    expect(await shown(["logs", "echo"])).toContain("before [secret], now [secret]");
    await shown(["start"]);
    expect(await shown(["logs", "echo"])).toContain("before [secret], now [secret]");
  });

  it("leaves nothing to do for the next start", async () => {
    expect(await shown(["start", "--json"])).toMatch(/"changes": {\s*"same": \d+\s*}/);
  });

  it("on a full disk every command says so in one line, leaves nothing half-written, and destroy works", async (context) => {
    if (!ownDisk) context.skip();
    const state = join(clone.folder, ".meshup");
    const filler = join(state, "filler");
    expect(() => writeFileSync(filler, Buffer.alloc(200 * 1024 * 1024))).toThrow(/ENOSPC/);
    await clone.edit("Pulumi.local.yaml", (text) => text.replace("x-open: open", "x-open: other"));
    const { code, stderr } = await clone.run(["start"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^\/\S+\/\.meshup\S* cannot be written to: its disk is full: .*\(ENOSPC\)\.\n$/);
    await shown(["status"]);
    expect([...files(state)].filter(({ path }) => /\.(tmp|new)$|draft-/.test(path))).toEqual([]);

    const down = await shown(["destroy"]);
    expect(down).toMatch(/Stack local is down/);
    expect(down).toMatch(/\.meshup\/passphrase, which the secrets in Pulumi\.local\.yaml are encrypted with/);
    await expect(clone.get("/one")).rejects.toThrow(/ECONNREFUSED/);
    expect(existsSync(join(state, "stacks"))).toBe(false);
    rmSync(filler, { force: true });
  });
});
