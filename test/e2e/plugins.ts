import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { exec } from "../../lib/exec.ts";

/** What the stacks in a cluster need beside the engine, and what is missing of it here. */
export async function missingTools(): Promise<string[]> {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const has = (program: string) => folders.some((folder) => existsSync(join(folder, program)));
  const plugins = ["kubernetes", "command", "docker"].filter((name) => !hasPlugin(name, has));
  const programs = ["docker", "kind"].filter((program) => !has(program));
  const missing = [
    ...plugins.map((name) => `the Pulumi plugin ${name}`),
    ...programs.map((program) => `the program ${program}`),
  ];
  if (missing.length > 0) return missing;
  const { code } = await exec("docker", ["info", "--format", "{{.ServerVersion}}"]);
  return code === 0 ? [] : ["a running Docker engine"];
}

function hasPlugin(name: string, has: (program: string) => boolean): boolean {
  if (has(`pulumi-resource-${name}`)) return true;
  const folder = join(process.env.PULUMI_HOME ?? join(homedir(), ".pulumi"), "plugins");
  return existsSync(folder) && readdirSync(folder).some((entry) => entry.startsWith(`resource-${name}-v`));
}
