import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../lib/files.ts";
import { sha256 } from "../lib/sha256.ts";
import type { OwnedProcess } from "./owner.ts";

/**
 * What is known of a process on disk, from the moment it exists: an `up` that is killed half-way has told Pulumi's
 * state nothing of it, and the next one finds it here.
 */
export interface ProcessRecord extends OwnedProcess {
  /** {@link commandHash} of what it was started with. */
  commandHash: string;
  state: "starting" | "ready";
  stopTimeoutMs: number;
  /** That it listens on; records of older versions have none. */
  ports?: number[];
  /** It is ready when this address answers 2xx; likewise. */
  readyUrl?: string;
}

/** What a process is started with, as far as it tells two processes apart. */
export interface StartedWith {
  command: string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
  ports: number[];
  workingDirectory?: string;
  ready: { url: string } | { port: number };
  triggers?: string[];
  maxFileBytes?: number;
}

/** The same for two processes that need not be told apart; a change of anything in it is a restart. */
export function commandHash(started: StartedWith): string {
  const { command, workingDirectory, env, files, ports, ready, triggers = [], maxFileBytes } = started;
  const readiness = "url" in ready ? ready.url : ready.port;
  const parts: unknown[] = [command, sorted(env), sorted(files), ports, readiness, triggers];
  if (maxFileBytes !== undefined) parts.push(maxFileBytes);
  if (workingDirectory !== undefined) parts.push(workingDirectory);
  return sha256(JSON.stringify(parts));
}

function sorted(texts: Record<string, string> = {}): [string, string][] {
  return Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Undefined when there is none, or none that can be read (cut short by a crash of the machine). */
export function readRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8"));
    return Number.isInteger(record?.pid) && typeof record.startTime === "string" ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Written beside and renamed: a reader finds the old record or the new one, never half of one. */
export function writeRecord(path: string, record: ProcessRecord): void {
  writeWhole(path, JSON.stringify(record, null, 2), 0o600);
}

export function deleteRecord(path: string): void {
  rmSync(path, { force: true });
}

/** The paths of all records in a folder; none when there is no such folder. */
export function recordsIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith(".json") && !name.startsWith("."))
      .map((name) => join(directory, name))
      .filter((path) => readRecord(path) !== undefined);
  } catch {
    return [];
  }
}
