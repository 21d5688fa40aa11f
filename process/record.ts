import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "../lib/files.ts";
import { sha256 } from "../lib/sha256.ts";
import type { OwnedProcess } from "./owner.ts";

/**
 * What is stored on disk about a process, from the moment it exists. An `up` that is killed halfway has not written the
 * process to Pulumi's state. The next `up` finds it here.
 */
export interface ProcessRecord extends OwnedProcess {
  /** {@link commandHash} of the command and settings that the process was started with. */
  commandHash: string;
  state: "starting" | "ready";
  stopTimeoutMs: number;
  /** Ports that the process listens on. Missing in records of older versions. */
  ports?: number[];
  /** The process is ready when this address answers 2xx. Missing in records of older versions. */
  readyUrl?: string;
}

/** What a process is started with. Processes that differ in it are different. */
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

/** A hash of everything whose change requires a restart. */
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

/** Undefined if there is no record, or if it is unreadable (for example, cut short by a crash of the machine). */
export function readRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8"));
    return Number.isInteger(record?.pid) && typeof record.startTime === "string" ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Writes a temporary file and renames it: a reader finds the old or the new record, never half of one. */
export function writeRecord(path: string, record: ProcessRecord): void {
  writeWhole(path, JSON.stringify(record, null, 2), 0o600);
}

export function deleteRecord(path: string): void {
  rmSync(path, { force: true });
}

/** The paths of all records in a folder; empty if the folder does not exist. */
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
