import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../lib/paths.ts";
import type { Terminal } from "../output/terminal.ts";
import { countLine, countTests, type TestReport } from "../output/test-count.ts";
import type { Run } from "../run.ts";
import { run as check } from "./check.ts";

/** `npm test [-- VITEST'S ARGUMENTS]`: the checks, then the tests that need no cluster. The last line counts them. */
export const run: Run = async ({ positionals: args }, terminal) => {
  const checked = await check({ positionals: [], options: {} }, terminal);
  if (checked !== 0) terminal.note("The checks failed; the tests run all the same.");
  return (await runTests(["unit", "local"], args, terminal)) || checked;
};

/** Runs vitest's projects. @returns the exit code; not zero when no test has run or been skipped on purpose */
export async function runTests(projects: string[], args: string[], terminal: Terminal): Promise<number> {
  const file = join(tmpdir(), `vitest-${process.pid}.json`);
  const code = await vitest([
    "run",
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${file}`,
    ...projects.map((project) => `--project=${project}`),
    ...args,
  ]);
  const count = countTests(readReport(file));
  rmSync(file, { force: true });
  const ran = count.passed + count.failed + count.skipped;
  if (ran === 0) terminal.print("No test has run.");
  terminal.print(countLine(count));
  return code === 0 && count.failed === 0 && ran > 0 ? 0 : 1;
}

/** As a process of its own: a test may stop the world, and the count is still to be printed. */
function vitest(args: string[]): Promise<number> {
  const child = spawn(process.execPath, [join(root, "node_modules", "vitest", "vitest.mjs"), ...args], {
    cwd: root,
    stdio: "inherit",
  });
  process.on("SIGINT", () => {}); // Ctrl-C reaches vitest as well, which ends in good order
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

function readReport(file: string): TestReport | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined; // vitest ended before it could write one
  }
}
