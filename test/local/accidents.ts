/** What may befall a clone, and how it is told: runs that are killed half-way, machines that lack a program. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdtemp, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import type { ExecResult } from "../../lib/exec.ts";
import type { ScratchClone } from "./scratch-clone.ts";

/** One message for people: what was looked for, no stack trace, nothing twice. */
export function expectFailure({ code, stdout, stderr }: ExecResult, message: RegExp): void {
  expect(code, stdout + stderr).not.toBe(0);
  expect(stderr + stdout).toMatch(message);
  expect(stderr + stdout).not.toMatch(/^\s+at .*:\d+:\d+\)?$/m);
  expect(stderr + stdout).not.toContain("defect of meshup");
}

/** Kills CLI, engine and provider at once when the first process of the stack has come up and the rest has not. */
export async function killHalfway(clone: ScratchClone, command: string): Promise<void> {
  const records = join(clone.folder, ".meshup", "stacks", "local");
  const child: ChildProcess = spawn(process.execPath, clone.command([command]), {
    cwd: clone.folder,
    env: clone.env(),
    detached: true, // a group of its own, to be killed as one
    stdio: "ignore",
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  while (!existsSync(records) || !readdirSync(records).some((file) => file.endsWith(".json"))) {
    if (child.exitCode !== null) throw new Error("it ended before it could be killed");
    await sleep(5);
  }
  process.kill(-(child.pid as number), "SIGKILL");
  await ended;
}

/** What still runs in a folder, or from it. */
export function processesIn(folder: string): string[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const seen = pids.map((pid) => {
    try {
      return `${readlinkSync(`/proc/${pid}/cwd`)} ${readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ")}`;
    } catch {
      return ""; // it has ended meanwhile
    }
  });
  return seen.filter((line) => line.includes(folder));
}

/** The engine's locks of the clone's stacks. */
export function locks(clone: ScratchClone): string[] {
  const folder = join(clone.folder, ".meshup", "state", ".pulumi", "locks");
  return existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".json"))
    : [];
}

/** A PATH with Node, the engine and what they need, and no Python. */
export async function binWithout(): Promise<string> {
  const bin = await mkdtemp(join(tmpdir(), "meshup-bin-"));
  await symlink(process.execPath, join(bin, "node"));
  const pulumi = (process.env.PATH ?? "").split(":").find((folder) => existsSync(join(folder, "pulumi"))) as string;
  await symlink(join(pulumi, "pulumi"), join(bin, "pulumi"));
  for (const tool of ["sh", "cat", "env", "dirname", "readlink", "uname"]) {
    const at = ["/bin", "/usr/bin"].find((folder) => existsSync(join(folder, tool)));
    if (at) await symlink(join(at, tool), join(bin, tool));
  }
  return bin;
}
