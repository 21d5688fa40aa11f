/**
 * All that leans on what Pulumi promises to nobody: on how its SDK is made inside, and on where its engine keeps things.
 * The tests beside it fail when a version of Pulumi has it otherwise.
 */
import { lstatSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { runtime as Runtime } from "@pulumi/pulumi";
import type { PulumiFn, Stack } from "@pulumi/pulumi/automation/index.js";

/** What the engine's values are marked with on their way (the SDK's rpc.ts). */
export const wire = {
  /** Stands for a value that a preview does not know yet. */
  unknown: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
  /** The key of an object that wraps a value, and what stands there. */
  signature: "4dabf18193072939515e22adb298388d",
  secret: "1b47061264138c4ac30d75fd1eb44270",
  output: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
} as const;

/** The stack's configuration in the SDK; its types leave out what its own `Config` asks. */
export type ConfigRuntime = Pick<typeof Runtime, "allConfig" | "setAllConfig"> & {
  isConfigSecret(key: string): boolean;
};

/**
 * The engine logs every property of every call for Pulumi's support, tens of megabytes and up to two thirds of an
 * update's time, and knows no setting against it: where there can be no folder, it goes without.
 * @param home the engine's PULUMI_HOME
 */
export function leaveOutLogs(home: string): void {
  const path = `${home}/logs`;
  if (lstatSync(path, { throwIfNoEntry: false })?.isFile()) return;
  try {
    rmSync(path, { recursive: true, force: true });
    writeFileSync(path, "A file, so that Pulumi keeps no logs here.\n", { flag: "wx" });
  } catch {
    // Another run is at it; if it has made a folder meanwhile, the next one makes up for it.
  }
}

/** The engine as the Automation API calls it: its `PulumiCommand`, whose constructor is private and runs the engine. */
export interface EngineCommand {
  command: string;
  /** Is only turned into text. */
  version: { toString(): string };
  run(
    args: string[],
    cwd: string,
    env: Record<string, string>,
  ): Promise<{ stdout: string; stderr: string; code: number }>;
}

export interface AutomationArgs {
  stack: string;
  /** The engine's working folder. */
  folder: string;
  env: Record<string, string>;
  program: PulumiFn;
  engine: EngineCommand;
}

/**
 * The Automation API for a stack, with one run of the engine for each call. By itself it would run the engine four times
 * more: for its version, to select the stack, for its outputs and for its history.
 */
export async function openAutomation({ stack, folder, env, program, engine }: AutomationArgs): Promise<Stack> {
  lightenSdk();
  const { LocalWorkspace, Stack: Automation } = await import("@pulumi/pulumi/automation/index.js");
  const pulumiCommand = engine as never;
  const workspace = await LocalWorkspace.create({ workDir: folder, envVars: env, program, pulumiCommand });
  workspace.selectStack = async () => {};
  workspace.stackOutputs = async () => ({});
  const automation = await Automation.select(stack, workspace);
  automation.info = async () => undefined;
  return automation;
}

/**
 * What Pulumi's SDK loads only to turn functions into text, for dynamic providers and for cloud functions: two thirds of
 * the time that it takes to load. Nothing here does that.
 */
const forClosures = ["typescript", "@npmcli/arborist"];

/** To be called before Pulumi's SDK is loaded: these modules of it are loaded when they are first used. */
export function lightenSdk(): void {
  const require = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
  for (const name of forClosures) defer(require, name);
}

/** Puts a stand-in into the cache of modules. One that is loaded already stays. */
function defer(require: NodeJS.Require, name: string): void {
  let file: string;
  try {
    file = require.resolve(name);
  } catch {
    return; // a version of the SDK without it
  }
  if (require.cache[file]) return;
  let real: Record<PropertyKey, unknown> | undefined;
  const load = () => {
    if (!real) {
      delete require.cache[file];
      real = require(file) as Record<PropertyKey, unknown>;
    }
    return real;
  };
  // `__esModule`: else TypeScript's `__importStar` would copy every property at once.
  const exports = new Proxy({}, { get: (_, key) => (key === "__esModule" ? true : load()[key]) });
  const standIn = { id: file, filename: file, loaded: true, exports, children: [], paths: [] };
  require.cache[file] = standIn as unknown as NodeJS.Module;
}
