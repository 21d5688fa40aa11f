import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it } from "vitest";
import { exec } from "../../lib/exec.ts";
import { root } from "../../lib/paths.ts";

/** In a process of its own: what vitest has loaded stays loaded. */
async function run(body: string): Promise<unknown> {
  const program = `
    import { createRequire } from "node:module";
    const { cache } = createRequire(${JSON.stringify(join(root, "package.json"))});
    const loaded = () => Object.keys(cache).filter((file) => /(typescript|arborist)\\/lib\\//.test(file) && cache[file].children.length + cache[file].paths.length > 0);
    const { lightenSdk } = await import(${JSON.stringify(pathToFileURL(join(root, "cli/engine/light-sdk.ts")).href)});
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
