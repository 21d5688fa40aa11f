import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { cloneNote, folderId, readNote } from "../../lib/clone.ts";
import { writeRecord } from "../../process/record.ts";
import { identify, type ProcessIdentity } from "../../process/table.ts";
import { scratch } from "../../provider/testing/scratch.ts";
import { settleClone } from "./copies.ts";

/** A clone in which a stack is up; its process lives in the clone's folder. */
async function clone({ noted = true } = {}) {
  const folder = join(scratch(), "original");
  const state = join(folder, ".meshup");
  mkdirSync(folder);
  if (noted) cloneNote(folder, state);
  mkdirSync(join(state, "stacks", "local"), { recursive: true });
  mkdirSync(join(state, "state"));
  writeFileSync(join(state, "passphrase"), "secret");
  const child: ChildProcess = spawn("sleep", ["60"], { cwd: folder, stdio: "ignore" });
  onTestFinished(() => void child.kill("SIGKILL"));
  await once(child, "spawn");
  const identity = identify(child.pid as number) as ProcessIdentity;
  const mark = noted ? { clone: folderId(folder) } : {};
  const record = { ...identity, ...mark, commandHash: "", state: "ready" as const, stopTimeoutMs: 1 };
  writeRecord(join(state, "stacks", "local", "sleep.json"), record);
  return { folder, id: folderId(folder) as string };
}

/** What a command does first in a clone. */
function settle(folder: string) {
  const notes: string[] = [];
  const state = join(folder, ".meshup");
  settleClone((line) => notes.push(line), folder, state);
  return { notes, isUp: existsSync(join(state, "stacks")), note: readNote(state) };
}

function copy(folder: string, ...options: string[]): string {
  const to = `${folder}-copy`;
  execFileSync("cp", ["-a", ...options, folder, to]);
  return to;
}

test.each([
  ["by its note", true],
  ["of an earlier version, which had none", false],
])("a copy of a clone that runs begins anew and says so once: %s", async (_what, noted) => {
  const { folder, id } = await clone({ noted });
  const to = copy(folder);
  const { notes, isUp, note } = settle(to);
  expect(notes).toEqual([expect.stringContaining(`This clone is a copy of ${folder}:`)]);
  expect(isUp).toBe(false);
  expect(note).toMatchObject({ id: folderId(to), path: to, formerly: [] });
  expect(readFileSync(join(to, ".meshup", "passphrase"), "utf8")).toBe("secret");
  expect(settle(to).notes).toEqual([]);
  expect(settle(folder)).toMatchObject({ notes: [], isUp: true, note: { id } });
});

test("a copy with hard links leaves the original's note alone", async () => {
  const { folder, id } = await clone();
  settle(copy(folder, "-l"));
  expect(settle(folder)).toMatchObject({ isUp: true, note: { id, path: folder } });
});

test("a clone that was moved goes on, and its name stays", async () => {
  const { folder, id } = await clone();
  const before = readNote(join(folder, ".meshup"));
  const to = `${folder}-moved`;
  renameSync(folder, to);
  expect(settle(to)).toMatchObject({ notes: [], isUp: true, note: { ...before, id, path: to } });
});

test("a copy of a clone that was moved since is a copy", async () => {
  const { folder } = await clone();
  const to = copy(folder);
  renameSync(folder, `${folder}-moved`);
  expect(settle(to)).toMatchObject({ notes: [expect.stringContaining(`${folder}-moved`)], isUp: false });
});

test("what was moved to another disk, which is copied and then deleted, goes on", async () => {
  const { folder, id } = await clone();
  const to = copy(folder);
  rmSync(folder, { recursive: true });
  expect(settle(to)).toMatchObject({ notes: [], isUp: true, note: { id: folderId(to), formerly: [id] } });
});

test("a clone whose disk has another number after a restart is the same one, and its copies are copies", async () => {
  const { folder } = await clone();
  const to = copy(folder);
  for (const one of [folder, to]) {
    const file = join(one, ".meshup", "clone.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(/"id": "\d+:/, '"id": "1:'));
  }
  expect(settle(to)).toMatchObject({ isUp: false });
  expect(settle(folder)).toMatchObject({ notes: [], isUp: true });
});

test("a clone of its own notes itself, and is told nothing", () => {
  const folder = scratch();
  expect(settle(folder)).toMatchObject({ notes: [], note: { id: folderId(folder), path: folder, home: folder } });
  expect(settle(folder).note).toEqual(settle(folder).note);
});
