/**
 * What everything is compared with: an `up` of a program that makes nothing, inline, by the same engine and Automation
 * API, with none of their calls but the one that matters. Run as built JavaScript: `node empty-up.js ENGINE FOLDER`.
 */
import { spawn } from "node:child_process";
import { LocalWorkspace, Stack } from "@pulumi/pulumi/automation/index.js";

const [engine = "pulumi", workDir = "."] = process.argv.slice(2);

const pulumiCommand = {
  command: engine,
  version: null,
  run: (args: string[], cwd: string, env: Record<string, string>) =>
    new Promise((resolve, reject) => {
      const child = spawn(engine, [...args, "--non-interactive"], {
        cwd,
        env: { ...process.env, ...env, PULUMI_AUTOMATION_API: "true" },
        stdio: ["ignore", "ignore", "inherit"],
      });
      child.on("error", reject);
      child.on("exit", (code) => {
        if (code === 0) resolve({ stdout: "", stderr: "", code });
        else reject(new Error(`an up of an empty program ended with ${code}`));
      });
    }),
};

const workspace = await LocalWorkspace.create({
  workDir,
  program: async () => ({}),
  pulumiCommand: pulumiCommand as never, // its constructor is private, and asks the engine for its version each time
});
workspace.selectStack = async () => {};
workspace.stackOutputs = async () => ({});
const stack = await Stack.select("empty", workspace);
stack.info = async () => undefined;
await stack.up({ color: "never" });
