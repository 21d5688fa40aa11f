import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { exec } from "./exec.ts";
import { root } from "./paths.ts";
import { leaveOutLogs, openAutomation, wire } from "./pulumi-insides.ts";

/** In a process of its own: what vitest has loaded stays loaded. */
async function run(body: string): Promise<unknown> {
  const program = `
    import { createRequire } from "node:module";
    const { cache } = createRequire(${JSON.stringify(join(root, "package.json"))});
    const loaded = () => Object.keys(cache).filter((file) => /(typescript|arborist)\\/lib\\//.test(file) && cache[file].children.length + cache[file].paths.length > 0);
    const { lightenSdk } = await import(${JSON.stringify(pathToFileURL(join(root, "lib/pulumi-insides.ts")).href)});
    ${body}`;
  const args = ["--import", "tsx", "--input-type=module", "--eval", program];
  const { code, stdout, stderr } = await exec(process.execPath, args, { cwd: root });
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout);
}

it("the SDK is loaded without compiler and package manager", async () => {
  const light = await run(
    `lightenSdk(); await import("@pulumi/pulumi"); await import("@pulumi/pulumi/automation/index.js"); console.log(JSON.stringify(loaded()));`,
  );
  expect(light).toEqual([]);
  const whole = await run(`await import("@pulumi/pulumi"); console.log(JSON.stringify(loaded().length > 0));`);
  expect(whole).toBe(true);
});

it("what needs them has them: a function as text", async () => {
  const text = await run(
    `lightenSdk();
     const { runtime } = (await import("@pulumi/pulumi")).default;
     const answer = 42;
     const { text } = await runtime.serializeFunction(() => answer);
     console.log(JSON.stringify(text));`,
  );
  expect(text).toMatch(/42/);
});

it("the SDK marks secrets, outputs and unknown values in this way", async () => {
  const rpc = await import("@pulumi/pulumi/runtime/rpc.js");
  const { unknownValue, specialSigKey, specialSecretSig, specialOutputValueSig } = rpc.default ?? rpc;
  expect(wire).toEqual({
    unknown: unknownValue,
    signature: specialSigKey,
    secret: specialSecretSig,
    output: specialOutputValueSig,
  });
});

it("the SDK tells the program which configuration is secret", async () => {
  const { runtime } = await import("@pulumi/pulumi");
  runtime.setAllConfig({ "a:b": "c", "a:d": "e" }, ["a:d"]);
  const { isConfigSecret } = runtime as unknown as { isConfigSecret(key: string): boolean };
  expect([isConfigSecret("a:b"), isConfigSecret("a:d")]).toEqual([false, true]);
});

const folder = () => {
  const path = mkdtempSync(join(tmpdir(), "meshup-insides-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
};

it.each(["up", "preview", "refresh", "destroy"] as const)(
  "%s runs the engine once, and for nothing else",
  async (kind) => {
    const ran: string[] = [];
    const work = folder();
    writeFileSync(join(work, "Pulumi.yaml"), "name: meshup\nruntime: nodejs\n");
    const automation = await openAutomation({
      stack: "local",
      folder: work,
      env: {},
      program: async () => ({}),
      engine: {
        command: "/nowhere/pulumi",
        version: { toString: () => "3.259.0" },
        async run([command = ""]) {
          ran.push(command);
          return { stdout: "", stderr: "", code: 0 };
        },
      },
    });
    await automation[kind]();
    expect(ran).toEqual([kind]);
  },
);

/** One that is there already, such as the local tests' own. */
const engine = [...(process.env.PATH ?? "").split(delimiter), join(homedir(), ".pulumi", "bin")]
  .map((folder) => join(folder, "pulumi"))
  .find((file) => existsSync(file));

it.runIf(engine)("the engine's logs go into a folder of its home, and nowhere where that is a file", async () => {
  const run = async (home: string) => {
    const env = { PATH: process.env.PATH, HOME: home, PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" };
    const { code, stderr } = await exec(engine as string, ["plugin", "ls"], { env, cwd: home });
    expect(code, stderr).toBe(0);
  };
  const [plain, without] = [folder(), folder()];
  await run(plain);
  expect(statSync(join(plain, "logs")).isDirectory()).toBe(true);
  mkdirSync(join(without, "logs"));
  leaveOutLogs(without);
  await run(without);
  expect(statSync(join(without, "logs")).isFile()).toBe(true);
});
